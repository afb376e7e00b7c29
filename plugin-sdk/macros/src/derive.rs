//! `#[settings]` and `#[json]`: derives of other crates, pointed at the SDK's copies of them.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Ident, Result};

/// `#[settings]`.
pub(crate) fn settings(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    if !attribute.is_empty() {
        return Error::new_spanned(attribute, "`#[settings]` takes nothing").into_compile_error();
    }
    quote! {
        #[derive(::plugin_sdk::serde::Deserialize, ::plugin_sdk::schemars::JsonSchema)]
        #[serde(crate = "::plugin_sdk::serde", deny_unknown_fields)]
        #[schemars(crate = "::plugin_sdk::schemars")]
        #item
    }
}

/// `#[json]`.
pub(crate) fn json(attribute: TokenStream, item: &TokenStream) -> Result<TokenStream> {
    let derives = if attribute.is_empty() {
        quote!(::plugin_sdk::serde::Serialize, ::plugin_sdk::serde::Deserialize)
    } else {
        let direction: Ident = syn::parse2(attribute)?;
        match direction.to_string().as_str() {
            "serialize" => quote!(::plugin_sdk::serde::Serialize),
            "deserialize" => quote!(::plugin_sdk::serde::Deserialize),
            _unknown => {
                return Err(Error::new(direction.span(), "expected `serialize` or `deserialize`"));
            }
        }
    };
    Ok(quote! {
        #[derive(#derives)]
        #[serde(crate = "::plugin_sdk::serde")]
        #item
    })
}
