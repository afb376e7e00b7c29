//! `#[plugin(…)]`: checks what can be checked before the code is built, and exports the root module.
//!
//! The export is left out of test builds: a test binary may hold several plugins, and it has no host.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ImplItem, ItemImpl, LitStr, Result, Token, bracketed, parse_quote};

/// The arguments of the attribute.
pub(crate) struct Declaration {
    element: LitStr,
    types: Vec<LitStr>,
    /// An expression; that of the crate when it is not given.
    version: Option<Expr>,
}

impl Parse for Declaration {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (mut element, mut types, mut version) = (None, None, None);
        while !input.is_empty() {
            let name: syn::Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            match name.to_string().as_str() {
                "element" => element = Some(input.parse::<LitStr>()?),
                "types" => {
                    let list;
                    bracketed!(list in input);
                    let slugs = Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?;
                    types = Some(slugs.into_iter().collect());
                }
                "version" => version = Some(input.parse::<Expr>()?),
                _unknown => {
                    let expected = "expected `element`, `types` or `version`";
                    return Err(Error::new(name.span(), expected));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let element = element.ok_or_else(|| input.error("`element = \"…\"` is missing"))?;
        let declaration = Self { element, types: types.unwrap_or_default(), version };
        declaration.check()?;
        Ok(declaration)
    }
}

impl Declaration {
    fn check(&self) -> Result<()> {
        let Self { element, types, version: _ } = self;
        if !is_name(&element.value(), 63, "-") {
            return Err(Error::new(element.span(), "an element's name is `[a-z][a-z0-9-]{0,62}`"));
        }
        for (idx, slug) in types.iter().enumerate() {
            if !is_name(&slug.value(), 31, "") {
                return Err(Error::new(slug.span(), "a type's slug is `[a-z][a-z0-9]{0,30}`"));
            }
            if types[..idx].iter().any(|earlier| earlier.value() == slug.value()) {
                return Err(Error::new(slug.span(), "this type is declared twice"));
            }
        }
        Ok(())
    }
}

/// Whether a name is lower-case letters, digits and `others`, begins with a letter, and is not too long.
pub(crate) fn is_name(name: &str, n_bytes_max: usize, others: &str) -> bool {
    name.len() <= n_bytes_max
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || others.contains(it))
}

/// The implementation with its missing part, and the root module.
pub(crate) fn expand(declaration: &Declaration, mut item: ItemImpl) -> Result<TokenStream> {
    let Declaration { element, types, version } = declaration;
    let version = match version {
        Some(version) => quote!(#version),
        None => quote!(::core::env!("CARGO_PKG_VERSION")),
    };
    if item.trait_.is_none() {
        return Err(Error::new_spanned(&item.self_ty, "expected `impl Plugin for …`"));
    }
    let has_settings = item
        .items
        .iter()
        .any(|item| matches!(item, ImplItem::Type(associated) if associated.ident == "Settings"));
    if !has_settings {
        item.items.insert(
            0,
            parse_quote!(
                type Settings = ::plugin_sdk::NoSettings;
            ),
        );
    }
    let plugin = &item.self_ty;
    Ok(quote! {
        #item

        impl ::plugin_sdk::Declared for #plugin {
            const ELEMENT: &'static str = #element;
            const VERSION: &'static str = #version;
            const TYPES: &'static [&'static str] = &[#(#types),*];
        }

        const _: () = {
            use ::plugin_sdk::expansion;

            #[cfg_attr(test, expect(dead_code, reason = "a test binary exports no plugin"))]
            extern "C" fn descriptor(sink: expansion::DescriptorSink) {
                expansion::describe::<#plugin>(sink);
            }

            #[cfg_attr(test, expect(dead_code, reason = "a test binary exports no plugin"))]
            extern "C" fn run(
                host: expansion::HostApi,
                info: expansion::GenerationInfo<'_>,
            ) -> expansion::AbiExit {
                expansion::run::<#plugin>(host, info)
            }

            #[cfg(not(test))]
            expansion::export_plugin!(descriptor: descriptor, run: run);
        };
    })
}
