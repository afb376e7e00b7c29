//! A field of a resource: its attribute, and what becomes of it.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, Ident, LitStr, Path, Result, Token, Type, parenthesized};

use super::{checked, description};
use crate::declare::is_name;

/// See the module.
pub(super) struct Field<'a> {
    ident: &'a Ident,
    name: String,
    ty: &'a Type,
    description: String,
    said: Said,
}

/// What `#[field(…)]` says.
#[derive(Default)]
struct Said {
    policy: Option<(Policy, Span)>,
    default: Option<Initial>,
    unique: Option<Ident>,
    indexed: bool,
    references: Option<Reference>,
    /// Calls of the declaration: `.length_min(1)`.
    bounds: TokenStream,
}

/// As `plugin_abi::descriptor::Policy`, without the one that needs no word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Ro,
    WriteOnce,
    WriteOnly,
    ShownOnce,
    Hidden,
}

/// `default`, and `default = …`.
enum Initial {
    OfType,
    Value(Expr),
}

/// `references = Bucket`, and `references = "database/instances"`.
enum Reference {
    Own(Path),
    Other { slug: String, collection: String },
}

impl<'a> Field<'a> {
    pub(super) fn of(field: &'a syn::Field) -> Result<Self> {
        let ident = field.ident.as_ref().expect("only named fields are looked at");
        let name = ident.unraw().to_string();
        if !is_name(&name, 63, "_") {
            return Err(Error::new(ident.span(), "a field's name is `[a-z][a-z0-9_]{0,62}`"));
        }
        let mut said = Said::default();
        for attribute in field.attrs.iter().filter(|it| it.path().is_ident("field")) {
            said.add(attribute)?;
        }
        let description = description(&field.attrs);
        let field = Self { ident, name, ty: &field.ty, description, said };
        field.check()?;
        Ok(field)
    }

    /// What contradicts itself.
    fn check(&self) -> Result<()> {
        let Self { ident, ty, said, .. } = self;
        let policy = said.policy.map(|(policy, _place)| policy);
        let place = said.policy.map_or(ident.span(), |(_policy, place)| place);
        if is_secret(ty) {
            if matches!(policy, None | Some(Policy::Ro | Policy::WriteOnce)) {
                let advice = "clients could read this secret back: say `#[field(write_only)]`, `shown_once` (the plugin makes it) or `hidden` (it is the plugin's own)";
                return Err(Error::new(place, advice));
            }
            if said.default.is_some() || said.unique.is_some() || said.indexed {
                let wrong = "a secret has no default, is in no index and not unique";
                return Err(Error::new(ident.span(), wrong));
            }
        }
        let is_the_plugins =
            matches!(policy, Some(Policy::Ro | Policy::ShownOnce | Policy::Hidden));
        if is_the_plugins && said.default.is_none() && is_never_null(ty) {
            let advice = "only the plugin says this field, so it is nothing at first: make it an `Option`, or give it a `default`";
            return Err(Error::new_spanned(ty, advice));
        }
        Ok(())
    }

    /// That no resource has a member of that name already.
    pub(super) fn check_of_name(&self) -> TokenStream {
        let Self { ident, name, .. } = self;
        let message = format!("every resource has a member `{name}`; choose another name");
        let condition = quote!(!::plugin_sdk::expansion::is_reserved(#name));
        checked(ident.span(), &condition, &message)
    }

    /// An expression of the type `FieldDeclaration`.
    pub(super) fn declaration(&self) -> TokenStream {
        let Self { ident: _, name, ty, description, said } = self;
        let Said { policy: _, default, unique, indexed, references, bounds } = said;
        let policy = self.policy_word();
        let default = default.as_ref().map(|_is_there| {
            let initial = self.initial();
            quote!(.default(#initial))
        });
        let unique = unique.as_ref().map(|scope| {
            let scope = Ident::new(&capitalized(&scope.to_string()), scope.span());
            quote!(.unique(::plugin_sdk::expansion::Unique::#scope))
        });
        let indexed = indexed.then(|| quote!(.indexed()));
        let references = references.as_ref().map(|reference| match reference {
            Reference::Own(path) => {
                quote!(.references_own(<#path as ::plugin_sdk::Resource>::COLLECTION))
            }
            Reference::Other { slug, collection } => quote!(.references(#slug, #collection)),
        });
        quote! {
            ::plugin_sdk::expansion::FieldDeclaration::of::<#ty>(
                #name,
                #description,
                ::plugin_sdk::expansion::Policy::#policy,
            ) #default #unique #indexed #references #bounds
        }
    }

    /// The field with its policy.
    pub(super) fn policy(&self) -> TokenStream {
        let (name, policy) = (&self.name, self.policy_word());
        quote!((#name, ::plugin_sdk::expansion::Policy::#policy))
    }

    /// A member of the struct, read.
    pub(super) fn reading(&self) -> TokenStream {
        let Self { ident, name, .. } = self;
        match self.said.default {
            Some(_) => {
                let initial = self.initial();
                quote!(#ident: fields.take_or(#name, #initial)?)
            }
            None => quote!(#ident: fields.take(#name)?),
        }
    }

    /// A member of the struct, written.
    pub(super) fn writing(&self) -> TokenStream {
        let Self { ident, name, .. } = self;
        quote!(fields.put(#name, &self.#ident);)
    }

    /// A function that makes the default. A literal text is turned into what the field is.
    fn initial(&self) -> TokenStream {
        let ty = self.ty;
        let value = match &self.said.default {
            Some(Initial::Value(Expr::Lit(literal))) if matches!(literal.lit, syn::Lit::Str(_)) => {
                quote!(<#ty as ::core::convert::From<&str>>::from(#literal))
            }
            Some(Initial::Value(value)) => value.to_token_stream(),
            Some(Initial::OfType) | None => quote!(::core::default::Default::default()),
        };
        quote!(|| -> #ty { #value })
    }

    fn policy_word(&self) -> TokenStream {
        match self.said.policy {
            None => quote!(Rw),
            Some((Policy::Ro, _)) => quote!(Ro),
            Some((Policy::WriteOnce, _)) => quote!(WriteOnce),
            Some((Policy::WriteOnly, _)) => quote!(WriteOnly),
            Some((Policy::ShownOnce, _)) => quote!(ShownOnce),
            Some((Policy::Hidden, _)) => quote!(Hidden),
        }
    }
}

impl Said {
    fn add(&mut self, attribute: &Attribute) -> Result<()> {
        attribute.parse_nested_meta(|meta| {
            let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            match word.as_str() {
                "ro" => self.add_policy(&meta, Policy::Ro),
                "write_once" => self.add_policy(&meta, Policy::WriteOnce),
                "write_only" => self.add_policy(&meta, Policy::WriteOnly),
                "shown_once" => self.add_policy(&meta, Policy::ShownOnce),
                "hidden" => self.add_policy(&meta, Policy::Hidden),
                "indexed" => {
                    self.indexed = true;
                    Ok(())
                }
                "default" => {
                    self.default = Some(match meta.input.peek(Token![=]) {
                        true => Initial::Value(meta.value()?.parse()?),
                        false => Initial::OfType,
                    });
                    Ok(())
                }
                "unique" => self.add_unique(&meta),
                "references" => self.add_reference(&meta),
                "length" => self.add_bounds(&meta, "length"),
                "range" => self.add_bounds(&meta, "range"),
                "pattern" => {
                    let pattern: LitStr = meta.value()?.parse()?;
                    self.bounds.extend(quote!(.pattern(#pattern)));
                    Ok(())
                }
                "format" => {
                    let format: LitStr = meta.value()?.parse()?;
                    self.bounds.extend(quote!(.format(#format)));
                    Ok(())
                }
                _unknown => Err(meta.error(
                    "expected a policy (`ro`, `write_once`, `write_only`, `shown_once`, `hidden`), \
                     `default`, `unique(…)`, `indexed`, `references`, `length(…)`, `range(…)`, \
                     `pattern` or `format`",
                )),
            }
        })
    }

    fn add_policy(&mut self, meta: &ParseNestedMeta<'_>, policy: Policy) -> Result<()> {
        let place = meta.path.get_ident().map_or_else(Span::call_site, Ident::span);
        match self.policy.replace((policy, place)) {
            Some(_) => Err(meta.error("a field has one policy")),
            None => Ok(()),
        }
    }

    fn add_unique(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let scope;
        parenthesized!(scope in meta.input);
        let scope: Ident = scope.call(Ident::parse_any)?;
        if !["parent", "project", "type"].iter().any(|known| scope == known) {
            let wanted = "expected `parent`, `project` or `type`: among which no two are the same";
            return Err(Error::new(scope.span(), wanted));
        }
        self.unique = Some(scope);
        Ok(())
    }

    fn add_reference(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let value = meta.value()?;
        if !value.peek(LitStr) {
            self.references = Some(Reference::Own(value.parse()?));
            return Ok(());
        }
        let text: LitStr = value.parse()?;
        let wanted = "expected another struct, or \"slug/collection\" of another type";
        let (slug, collection) = text
            .value()
            .split_once('/')
            .filter(|(slug, collection)| is_name(slug, 31, "") && is_name(collection, 31, "-"))
            .map(|(slug, collection)| (slug.to_owned(), collection.to_owned()))
            .ok_or_else(|| Error::new(text.span(), wanted))?;
        self.references = Some(Reference::Other { slug, collection });
        Ok(())
    }

    /// `length(min = 1, max = 63)`.
    fn add_bounds(&mut self, meta: &ParseNestedMeta<'_>, of: &str) -> Result<()> {
        meta.parse_nested_meta(|bound| {
            let word = bound.path.get_ident().map(ToString::to_string).unwrap_or_default();
            if word != "min" && word != "max" {
                return Err(bound.error("expected `min = …` or `max = …`"));
            }
            let value: Expr = bound.value()?.parse()?;
            let call = Ident::new(&format!("{of}_{word}"), Span::call_site());
            self.bounds.extend(quote!(.#call(#value)));
            Ok(())
        })
    }
}

/// Whether a type is a secret, as far as its name tells.
fn is_secret(ty: &Type) -> bool {
    match last_segment(ty) {
        Some(segment) if segment.ident == "Option" => inner(segment).is_some_and(is_secret),
        Some(segment) => segment.ident == "Secret",
        None => false,
    }
}

/// Whether a type certainly has no null.
fn is_never_null(ty: &Type) -> bool {
    const KNOWN: [&str; 16] = [
        "String",
        "bool",
        "i8",
        "i16",
        "i32",
        "i64",
        "isize",
        "u8",
        "u16",
        "u32",
        "u64",
        "usize",
        "f32",
        "f64",
        "Secret",
        "Timestamp",
    ];
    last_segment(ty).is_some_and(|segment| KNOWN.iter().any(|known| segment.ident == known))
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    let Type::Path(path) = ty else { return None };
    path.path.segments.last()
}

fn inner(segment: &syn::PathSegment) -> Option<&Type> {
    let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| {
        let syn::GenericArgument::Type(ty) = argument else { return None };
        Some(ty)
    })
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_uppercase(), letters.as_str())
    })
}
