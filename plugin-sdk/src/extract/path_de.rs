//! Reads path parameters as serde types: one of them as a value, several as a sequence.
//!
//! Parameters have an order and no names here, as they travel; so a struct is read as a sequence. A
//! parameter is text, and numbers, truth values and unit variants are parsed from it.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, Deserializer, EnumAccess, IntoDeserializer, SeqAccess, Visitor};

/// What does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PathError(pub(super) String);

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PathError {}

impl de::Error for PathError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// All parameters.
#[derive(Clone, Copy)]
pub(super) struct Params<'p> {
    params: &'p [Cow<'p, str>],
}

impl<'p> Params<'p> {
    pub(super) fn new(params: &'p [Cow<'p, str>]) -> Self {
        Self { params }
    }

    fn only(self) -> Result<Param<'p>, PathError> {
        match self.params {
            [param] => Ok(Param(param)),
            params => Err(PathError(format!(
                "the route has {} parameters and the handler takes one",
                params.len()
            ))),
        }
    }
}

macro_rules! from_the_only_one {
    ($($method:ident)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
                self.only()?.$method(visitor)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Params<'_> {
    type Error = PathError;

    from_the_only_one! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_option deserialize_identifier
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, PathError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, PathError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_seq(InOrder(self.params.iter()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, PathError> {
        if self.params.len() != len {
            let n_params = self.params.len();
            let text = format!("the route has {n_params} parameters and the handler takes {len}");
            return Err(PathError(text));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, PathError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PathError> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, PathError> {
        Err(PathError("parameters have no names; take a tuple or a struct".to_owned()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PathError> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }
}

struct InOrder<'p>(std::slice::Iter<'p, Cow<'p, str>>);

impl<'de> SeqAccess<'de> for InOrder<'_> {
    type Error = PathError;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, PathError> {
        self.0.next().map(|param| seed.deserialize(Param(param))).transpose()
    }
}

/// One parameter.
#[derive(Clone, Copy)]
struct Param<'p>(&'p str);

impl Param<'_> {
    fn parse<T: std::str::FromStr>(self, what: &str) -> Result<T, PathError> {
        self.0.parse().map_err(|_unfit| PathError(format!("`{}` is not {what}", self.0)))
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $what:literal)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
                visitor.$visit(self.parse($what)?)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Param<'_> {
    type Error = PathError;

    parsed! {
        deserialize_bool visit_bool "`true` or `false`"
        deserialize_i8 visit_i8 "an integer of 8 bits"
        deserialize_i16 visit_i16 "an integer of 16 bits"
        deserialize_i32 visit_i32 "an integer of 32 bits"
        deserialize_i64 visit_i64 "an integer of 64 bits"
        deserialize_i128 visit_i128 "an integer of 128 bits"
        deserialize_u8 visit_u8 "a whole number of 8 bits"
        deserialize_u16 visit_u16 "a whole number of 16 bits"
        deserialize_u32 visit_u32 "a whole number of 32 bits"
        deserialize_u64 visit_u64 "a whole number of 64 bits"
        deserialize_u128 visit_u128 "a whole number of 128 bits"
        deserialize_f32 visit_f32 "a number"
        deserialize_f64 visit_f64 "a number"
        deserialize_char visit_char "one character"
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, PathError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PathError> {
        visitor.visit_enum(Variant(self.0))
    }

    serde::forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

/// A unit variant named by a parameter.
struct Variant<'p>(&'p str);

impl<'de, 'p> EnumAccess<'de> for Variant<'p> {
    type Error = PathError;
    type Variant = UnitOnly;

    fn variant_seed<T: de::DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, UnitOnly), PathError> {
        let name: StrDeserializer<'p, PathError> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, UnitOnly))
    }
}

struct UnitOnly;

impl<'de> de::VariantAccess<'de> for UnitOnly {
    type Error = PathError;

    fn unit_variant(self) -> Result<(), PathError> {
        Ok(())
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'de>>(
        self,
        _seed: T,
    ) -> Result<T::Value, PathError> {
        Err(carries_nothing())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _v: V) -> Result<V::Value, PathError> {
        Err(carries_nothing())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, PathError> {
        Err(carries_nothing())
    }
}

fn carries_nothing() -> PathError {
    PathError("a parameter can only be a variant without fields".to_owned())
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Place {
        shelf: String,
        number: u16,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Color {
        DarkRed,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Name(String);

    fn read<T: DeserializeOwned>(params: &[&'static str]) -> Result<T, PathError> {
        let params: Vec<_> = params.iter().map(|param| Cow::Borrowed(*param)).collect();
        T::deserialize(Params::new(&params))
    }

    fn check<T: DeserializeOwned + PartialEq + Debug>(params: &[&'static str], wanted: T) {
        assert_eq!(read(params), Ok(wanted));
    }

    #[test]
    fn parameters_become_what_the_handler_takes() {
        check(&["x"], "x".to_owned());
        check(&["7"], "7".to_owned());
        check(&["-7"], -7_i64);
        check(&["true"], true);
        check(&["1.5"], 1.5_f64);
        check(&["x"], ("x".to_owned(),));
        check(&["x", "7"], ("x".to_owned(), 7_u16));
        check(&["x", "7"], Place { shelf: "x".to_owned(), number: 7 });
        check(&["x", "y"], vec!["x".to_owned(), "y".to_owned()]);
        check(&["x"], Name("x".to_owned()));
        check(&["x", "y"], (Name("x".to_owned()), Some("y".to_owned())));
        check(&["dark_red"], Color::DarkRed);
        check(&[], ());
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_value() {
        let text = |error: PathError| error.0;
        assert_eq!(
            text(read::<u8>(&["300"]).unwrap_err()),
            "`300` is not a whole number of 8 bits"
        );
        assert_eq!(
            text(read::<(String,)>(&["a", "b"]).unwrap_err()),
            "the route has 2 parameters and the handler takes 1"
        );
        assert_eq!(
            text(read::<String>(&["a", "b"]).unwrap_err()),
            "the route has 2 parameters and the handler takes one"
        );
        assert_eq!(
            text(read::<Color>(&["blue"]).unwrap_err()),
            "unknown variant `blue`, expected `dark_red`"
        );
    }
}
