//! The attributes of `plugin-sdk`: what an author would otherwise copy from plugin to plugin.
//!
//! They write declarations and nothing that could surprise: `plugin` the exported root module, `Resource` what
//! a struct declares, `settings` and `json` the derives with their paths into the SDK, `test` a runtime around
//! a test.

mod declare;
mod derive;
mod resource;

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, ItemFn, ItemImpl, parse_macro_input};

/// Makes `impl Plugin for …` the plugin of this library.
///
/// `#[plugin(element = "hello", types = ["hello"])]`: the element whose code this is, and the slugs of the
/// types it serves. The version is that of the crate, unless `version = …` gives a constant `&str`: then one
/// crate can be built as several versions. A library is one plugin.
#[proc_macro_attribute]
pub fn plugin(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let declaration = parse_macro_input!(attribute as declare::Declaration);
    let item = parse_macro_input!(item as ItemImpl);
    declare::expand(&declaration, item).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct the settings of a plugin: read from JSON, described by a JSON Schema, unknown members
/// refused.
#[proc_macro_attribute]
pub fn settings(attribute: TokenStream, item: TokenStream) -> TokenStream {
    derive::settings(attribute.into(), &item.into()).into()
}

/// Makes a type a JSON document: `#[json]` for both directions, `#[json(serialize)]` or
/// `#[json(deserialize)]` for one, and with `schema` (`#[json(schema)]`) a JSON Schema too, as fields of
/// resources, inputs and outputs of actions need it.
#[proc_macro_attribute]
pub fn json(attribute: TokenStream, item: TokenStream) -> TokenStream {
    derive::json(attribute.into(), &item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes a struct a resource: what the host stores and serves of a collection.
///
/// See `plugin_sdk::resource` for what the attributes `#[resource(…)]` and `#[field(…)]` say.
#[proc_macro_derive(Resource, attributes(resource, field))]
pub fn resource(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    resource::expand(&item).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an `async fn` a test, on a runtime of its own.
#[proc_macro_attribute]
pub fn test(_attribute: TokenStream, item: TokenStream) -> TokenStream {
    let ItemFn { attrs, vis, mut sig, block } = parse_macro_input!(item as ItemFn);
    sig.asyncness = None;
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis #sig {
            ::plugin_sdk::testing::block_on(async #block)
        }
    }
    .into()
}
