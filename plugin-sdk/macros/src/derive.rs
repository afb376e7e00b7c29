//! `#[settings]` and `#[json]`: derives of other crates, pointed at the SDK's copies of them.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, Ident, Result, Token};

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
    let words = Punctuated::<Ident, Token![,]>::parse_terminated.parse2(attribute)?;
    let (mut writes, mut reads, mut has_schema) = (false, false, false);
    for word in words {
        match word.to_string().as_str() {
            "serialize" => writes = true,
            "deserialize" => reads = true,
            "schema" => has_schema = true,
            _unknown => {
                let expected = "expected `serialize`, `deserialize` or `schema`";
                return Err(Error::new(word.span(), expected));
            }
        }
    }
    if !writes && !reads {
        (writes, reads) = (true, true);
    }
    let writes = writes.then(|| quote!(#[derive(::plugin_sdk::serde::Serialize)]));
    let reads = reads.then(|| quote!(#[derive(::plugin_sdk::serde::Deserialize)]));
    let schema = has_schema.then(|| {
        quote! {
            #[derive(::plugin_sdk::schemars::JsonSchema)]
            #[schemars(crate = "::plugin_sdk::schemars")]
        }
    });
    Ok(quote! {
        #writes
        #reads
        #schema
        #[serde(crate = "::plugin_sdk::serde")]
        #item
    })
}
