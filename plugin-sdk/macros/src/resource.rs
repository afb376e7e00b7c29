//! `#[derive(Resource)]`: a plain struct becomes what a plugin declares of a collection.
//!
//! What can be seen in the struct is checked here and told where it stands: names, policies that contradict
//! a type, attributes that there are not. What takes a schema or other structs (kinds, bounds, parents that
//! are not registered) is checked when the descriptor is made. Not here: any schema.

mod field;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, Lit, LitStr, Path, Result};

use self::field::Field;
use crate::declare::is_name;

/// What stands above the struct.
#[derive(Default)]
struct Head {
    collection: Option<LitStr>,
    name: Option<LitStr>,
    parent: Option<Path>,
    demands_if_match: bool,
}

impl Head {
    fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut head = Self::default();
        for attribute in attributes.iter().filter(|it| it.path().is_ident("resource")) {
            attribute.parse_nested_meta(|meta| {
                let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                match word.as_str() {
                    "collection" => head.collection = Some(meta.value()?.parse()?),
                    "name" => head.name = Some(meta.value()?.parse()?),
                    "parent" => head.parent = Some(meta.value()?.parse()?),
                    "demands_if_match" => head.demands_if_match = true,
                    _unknown => {
                        return Err(meta.error(
                            "expected `collection`, `name`, `parent` or `demands_if_match`",
                        ));
                    }
                }
                Ok(())
            })?;
        }
        Ok(head)
    }
}

/// The implementation of `Resource`.
pub(crate) fn expand(item: &DeriveInput) -> Result<TokenStream> {
    let DeriveInput { attrs, ident, generics, data, .. } = item;
    if !generics.params.is_empty() {
        return Err(Error::new_spanned(generics, "a resource has no type parameters"));
    }
    let fields = named_fields(data, ident.span())?;
    let fields = fields.iter().map(Field::of).collect::<Result<Vec<_>>>()?;
    let Head { collection, name, parent, demands_if_match } = Head::of(attrs)?;
    let name = match name {
        Some(name) => name,
        None => LitStr::new(&in_words(&ident.to_string(), '_'), ident.span()),
    };
    let collection = match collection {
        Some(collection) => collection,
        None => plural(&in_words(&ident.to_string(), '-'), ident.span())?,
    };
    check_names(&collection, &name)?;
    let description = description(attrs);
    let parent = match parent {
        Some(parent) => quote!(#parent),
        None => quote!(::plugin_sdk::Root),
    };
    let declarations = fields.iter().map(Field::declaration);
    let policies = fields.iter().map(Field::policy);
    let readings = fields.iter().map(Field::reading);
    let writings = fields.iter().map(Field::writing);
    let checks = fields.iter().map(Field::check_of_name);
    Ok(quote! {
        #(#checks)*

        impl ::plugin_sdk::Resource for #ident {
            type Parent = #parent;
            const COLLECTION: &'static str = #collection;
            const NAME: &'static str = #name;
            const DESCRIPTION: &'static str = #description;
            const DEMANDS_IF_MATCH: bool = #demands_if_match;
            const POLICIES: &'static [(&'static str, ::plugin_sdk::expansion::Policy)] =
                &[#(#policies),*];

            fn fields() -> ::std::vec::Vec<::plugin_sdk::expansion::FieldDeclaration> {
                ::std::vec![#(#declarations),*]
            }

            fn read(
                fields: &mut ::plugin_sdk::expansion::FieldReader,
            ) -> ::core::result::Result<Self, ::plugin_sdk::expansion::Unreadable> {
                ::core::result::Result::Ok(Self { #(#readings),* })
            }

            fn write(&self, fields: &mut ::plugin_sdk::expansion::FieldWriter) {
                #(#writings)*
            }
        }
    })
}

fn named_fields(
    data: &Data,
    place: Span,
) -> Result<&syn::punctuated::Punctuated<syn::Field, syn::Token![,]>> {
    if let Data::Struct(data) = data
        && let Fields::Named(fields) = &data.fields
    {
        return Ok(&fields.named);
    }
    Err(Error::new(place, "a resource is a struct with named fields"))
}

fn check_names(collection: &LitStr, name: &LitStr) -> Result<()> {
    if !is_name(&collection.value(), 31, "-") {
        return Err(Error::new(collection.span(), "a collection is `[a-z][a-z0-9-]{0,30}`"));
    }
    if !is_name(&name.value(), 31, "_") {
        let wanted = "the name of one resource is `[a-z][a-z0-9_]{0,30}`";
        return Err(Error::new(name.span(), wanted));
    }
    Ok(())
}

/// `AccessKey` as `access_key`.
fn in_words(ident: &str, separator: char) -> String {
    let mut words = String::new();
    for (idx, letter) in ident.chars().enumerate() {
        if letter.is_uppercase() && idx > 0 {
            words.push(separator);
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// `bucket` as `buckets`; what takes more than an `s` is for the author to say.
fn plural(word: &str, place: Span) -> Result<LitStr> {
    let is_vowel = |letter: char| "aeiou".contains(letter);
    let is_doubtful = match word.strip_suffix('y') {
        Some(stem) => !stem.ends_with(is_vowel),
        None => word.ends_with(['s', 'x', 'z']) || word.ends_with("ch") || word.ends_with("sh"),
    };
    if is_doubtful {
        let advice = format!(
            "say what many of them are called: `#[resource(collection = \"…\")]`; it may not be `{word}s`"
        );
        return Err(Error::new(place, advice));
    }
    Ok(LitStr::new(&format!("{word}s"), place))
}

/// The documentation as text: one line for each paragraph.
fn description(attributes: &[Attribute]) -> String {
    let mut paragraphs = vec![String::new()];
    for attribute in attributes.iter().filter(|it| it.path().is_ident("doc")) {
        let Ok(syn::MetaNameValue { value, .. }) = attribute.meta.require_name_value() else {
            continue;
        };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = value else { continue };
        for line in text.value().split('\n').map(str::trim) {
            let last = paragraphs.last_mut().expect("there is always one");
            match (line.is_empty(), last.is_empty()) {
                (true, true) => {}
                (true, false) => paragraphs.push(String::new()),
                (false, true) => last.push_str(line),
                (false, false) => {
                    last.push(' ');
                    last.push_str(line);
                }
            }
        }
    }
    paragraphs.join("\n").trim_end().to_owned()
}

/// A check that the compiler makes of what the derive has written; `message` is told at `place`.
fn checked(place: Span, condition: &TokenStream, message: &str) -> TokenStream {
    quote_spanned!(place=> const _: () = ::core::assert!(#condition, #message);)
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
    fn refused(item: DeriveInput, wanted: &str) {
        let told = expand(&item).unwrap_err().to_string();
        assert!(told.contains(wanted), "`{told}` does not tell `{wanted}`");
    }

    fn written(item: &DeriveInput) -> String {
        expand(item).unwrap().to_string()
    }

    #[test]
    fn names_follow_from_the_struct() {
        let item = parse_quote! { struct AccessKey {} };
        let written = written(&item);
        assert!(written.contains(r#"COLLECTION : & 'static str = "access-keys""#), "{written}");
        assert!(written.contains(r#"NAME : & 'static str = "access_key""#), "{written}");
        assert!(written.contains(":: plugin_sdk :: Root"), "{written}");
    }

    #[test]
    fn paragraphs_of_the_documentation_are_lines() {
        let item: DeriveInput = parse_quote! {
            /// One
            /// paragraph.
            ///
            ///
            /// Another.
            struct Key {}
        };
        assert_eq!(description(&item.attrs), "One paragraph.\nAnother.");
    }

    #[test]
    fn what_cannot_be_a_resource_is_told_why() {
        refused(parse_quote! { enum Key {} }, "a struct with named fields");
        refused(parse_quote! { struct Key(u8); }, "a struct with named fields");
        refused(parse_quote! { struct Key<T> { of: T } }, "no type parameters");
        refused(parse_quote! { struct Policy {} }, "it may not be `policys`");
        refused(
            parse_quote! { #[resource(collection = "Keys")] struct Key {} },
            "a collection is `[a-z][a-z0-9-]{0,30}`",
        );
        refused(
            parse_quote! { #[resource(name = "a-key")] struct Key {} },
            "the name of one resource is `[a-z][a-z0-9_]{0,30}`",
        );
        refused(
            parse_quote! { #[resource(plural = "keys")] struct Key {} },
            "expected `collection`",
        );
    }

    #[test]
    fn what_contradicts_itself_is_told_where_it_stands() {
        let readable = "clients could read this secret back";
        refused(parse_quote! { struct Key { of: Secret } }, readable);
        refused(parse_quote! { struct Key { #[field(ro)] of: Option<Secret> } }, readable);
        refused(parse_quote! { struct Key { #[field(write_once)] of: sdk::Secret } }, readable);
        refused(
            parse_quote! { struct Key { #[field(write_only, unique(type))] of: Secret } },
            "a secret has no default, is in no index and not unique",
        );
        let nothing_at_first = "only the plugin says this field, so it is nothing at first";
        refused(parse_quote! { struct Key { #[field(ro)] url: String } }, nothing_at_first);
        refused(parse_quote! { struct Key { #[field(hidden)] size: u64 } }, nothing_at_first);
        refused(parse_quote! { struct Key { #[field(ro, hidden)] a: u8 } }, "has one policy");
        refused(parse_quote! { struct Key { #[field(readonly)] a: u8 } }, "expected a policy");
        refused(parse_quote! { struct Key { #[field(unique(all))] a: u8 } }, "expected `parent`");
        refused(parse_quote! { struct Key { #[field(length(is = 1))] a: u8 } }, "expected `min");
        refused(
            parse_quote! { struct Key { #[field(references = "instances")] a: String } },
            "expected another struct, or \"slug/collection\"",
        );
        refused(parse_quote! { struct Key { Size: u8 } }, "a field's name is");
    }

    #[test]
    fn names_that_every_resource_has_are_left_to_the_compiler() {
        let item = parse_quote! { struct Key { status: String } };
        let written = written(&item);
        assert!(written.contains(r#"is_reserved ("status")"#), "{written}");
        assert!(written.contains("every resource has a member `status`"), "{written}");
    }
}
