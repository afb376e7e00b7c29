//! Parameters of statements: what may be one, and lists of them.

use std::borrow::Cow;

use bytes::Bytes;
use plugin_abi::value::{Value, ValueType};
use plugin_abi::wire::Writer;
use serde::Serialize;

use super::{DbError, DbErrorKind};
use crate::extract::Json;

/// A value that can be a parameter.
///
/// A width that the database knows is kept: an `i32` is an `int4` on PostgreSQL. There is no `u64`, because
/// neither database has one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a statement",
    note = "parameters are integers up to `i64`, floats, `bool`, text, bytes, `Json<_>`, `Uuid` (feature `uuid`), `OffsetDateTime` (feature `time`), and `Option`s of these"
)]
pub trait ToValue {
    /// The type of a NULL of it.
    const TYPE: ValueType;

    /// Appends it to the parameters.
    fn write_value(&self, params: &mut Params);
}

/// Parameters as they are written down.
#[derive(Debug, Default)]
pub struct Params {
    writer: Writer,
    n_params: usize,
    /// The first one that could not be written.
    fault: Option<DbError>,
}

impl Params {
    /// Appends a value.
    pub fn push(&mut self, value: Value<'_>) {
        value.write(&mut self.writer);
        self.n_params += 1;
    }

    pub(super) fn fail(&mut self, what: &str) {
        let message = format!("parameter ${}: {what}", self.n_params + 1);
        self.fault.get_or_insert_with(|| DbError::new(DbErrorKind::Other, message));
    }

    pub(super) fn finish(self) -> Result<(usize, Vec<u8>), DbError> {
        let Self { writer, n_params, fault } = self;
        fault.map_or_else(|| Ok((n_params, writer.finish())), Err)
    }
}

macro_rules! values {
    ($($type:ty, $value_type:ident, |$value:ident| $written:expr;)*) => {$(
        impl ToValue for $type {
            const TYPE: ValueType = ValueType::$value_type;

            fn write_value(&self, params: &mut Params) {
                let $value = self;
                params.push(Value::$value_type($written));
            }
        }
    )*};
}

values! {
    bool, Bool, |it| *it;
    i8, I16, |it| i16::from(*it);
    u8, I16, |it| i16::from(*it);
    i16, I16, |it| *it;
    u16, I32, |it| i32::from(*it);
    i32, I32, |it| *it;
    u32, I64, |it| i64::from(*it);
    i64, I64, |it| *it;
    f32, F32, |it| *it;
    f64, F64, |it| *it;
    str, Text, |it| it;
    String, Text, |it| it;
    Cow<'_, str>, Text, |it| it;
    [u8], Bytes, |it| it;
    Vec<u8>, Bytes, |it| it;
    Bytes, Bytes, |it| it;
}

#[cfg(feature = "uuid")]
values! {
    uuid::Uuid, Uuid, |it| it.into_bytes();
}

#[cfg(feature = "time")]
impl ToValue for time::OffsetDateTime {
    const TYPE: ValueType = ValueType::Timestamp;

    fn write_value(&self, params: &mut Params) {
        match i64::try_from(self.unix_timestamp_nanos().div_euclid(1_000)) {
            Ok(microseconds) => params.push(Value::Timestamp(microseconds)),
            Err(_out_of_range) => params.fail("the time is too far from 1970 for a timestamp"),
        }
    }
}

impl<T: ToValue> ToValue for Option<T> {
    const TYPE: ValueType = T::TYPE;

    fn write_value(&self, params: &mut Params) {
        match self {
            Some(value) => value.write_value(params),
            None => params.push(Value::Null(T::TYPE)),
        }
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    const TYPE: ValueType = T::TYPE;

    fn write_value(&self, params: &mut Params) {
        T::write_value(self, params);
    }
}

/// A document of any type: `jsonb` on PostgreSQL, text on SQLite.
impl<T: Serialize> ToValue for Json<T> {
    const TYPE: ValueType = ValueType::Json;

    fn write_value(&self, params: &mut Params) {
        match serde_json::to_string(&self.0) {
            Ok(text) => params.push(Value::Json(&text)),
            Err(error) => params.fail(&format!("it cannot be written as JSON: {error}")),
        }
    }
}

impl ToValue for serde_json::Value {
    const TYPE: ValueType = ValueType::Json;

    fn write_value(&self, params: &mut Params) {
        params.push(Value::Json(&self.to_string()));
    }
}

/// A value as it crosses, for lists that are put together at run time.
impl ToValue for Value<'_> {
    const TYPE: ValueType = ValueType::Text;

    fn write_value(&self, params: &mut Params) {
        params.push(*self);
    }
}

/// The parameters of a statement: `()`, a tuple, an array or a slice.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of parameters",
    note = "write `()` for none and `(value,)` for one"
)]
pub trait ToParams {
    /// Appends them all.
    fn write_params(&self, params: &mut Params);
}

impl ToParams for () {
    fn write_params(&self, _params: &mut Params) {}
}

impl<T: ToValue> ToParams for [T] {
    fn write_params(&self, params: &mut Params) {
        self.iter().for_each(|value| value.write_value(params));
    }
}

impl<T: ToValue> ToParams for Vec<T> {
    fn write_params(&self, params: &mut Params) {
        self.as_slice().write_params(params);
    }
}

impl<T: ToValue, const COUNT: usize> ToParams for [T; COUNT] {
    fn write_params(&self, params: &mut Params) {
        self.as_slice().write_params(params);
    }
}

impl<T: ToParams + ?Sized> ToParams for &T {
    fn write_params(&self, params: &mut Params) {
        T::write_params(self, params);
    }
}

macro_rules! params_of {
    ($($value:ident)*) => {
        impl<$($value: ToValue),*> ToParams for ($($value,)*) {
            #[expect(non_snake_case, reason = "the values are named after their types")]
            fn write_params(&self, params: &mut Params) {
                let ($($value,)*) = self;
                $($value.write_value(params);)*
            }
        }
    };
}

params_of!(A);
params_of!(A B);
params_of!(A B C);
params_of!(A B C D);
params_of!(A B C D E);
params_of!(A B C D E F);
params_of!(A B C D E F G);
params_of!(A B C D E F G H);
params_of!(A B C D E F G H I);
params_of!(A B C D E F G H I J);
params_of!(A B C D E F G H I J K);
params_of!(A B C D E F G H I J K L);
params_of!(A B C D E F G H I J K L M);
params_of!(A B C D E F G H I J K L M N);
params_of!(A B C D E F G H I J K L M N O);
params_of!(A B C D E F G H I J K L M N O P);
