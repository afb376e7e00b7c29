//! From the values of its columns to a row.

use std::fmt;

use plugin_abi::descriptor::Kind;
use sea_orm::{DbErr, QueryResult, TryGetable};
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Row;
use crate::identity::ProjectId;
use crate::model::ResourceModel;
use crate::resource::status::Status;
use crate::store::Backend;
use crate::timestamp::Timestamp;

/// The cells of a result, read one after the other.
pub(super) struct Cells<'r> {
    pub(super) row: &'r QueryResult,
    pub(super) backend: Backend,
    pub(super) next: usize,
}

impl Cells<'_> {
    pub(super) fn row(&mut self, model: &ResourceModel) -> Result<Row, DbErr> {
        // Fields of a struct are evaluated as written: the order of the columns.
        Ok(Row {
            id: self.uuid()?,
            project: ProjectId::of(self.uuid()?),
            parent: Some(self.uuid()?).filter(|id| !id.is_nil()),
            name: self.get()?,
            description: self.get()?,
            labels: self.json()?,
            annotations: self.json()?,
            generation: self.get()?,
            observed_generation: self.get()?,
            revision: self.get()?,
            status: self.status()?,
            status_message: self.get()?,
            conditions: self.json()?,
            deletion_protection: self.get()?,
            deleting_at: self.timestamp()?,
            last_operation: self.operation()?,
            created_at: self.moment()?,
            updated_at: self.moment()?,
            created_by: self.get()?,
            fields: self.fields(model)?,
        })
    }

    fn get<T: TryGetable>(&mut self) -> Result<T, DbErr> {
        let index = self.next;
        self.next += 1;
        self.row.try_get_by_index(index)
    }

    fn wrong(&self, error: impl fmt::Display) -> DbErr {
        DbErr::Type(format!("column {} of a resource: {error}", self.next))
    }

    fn uuid(&mut self) -> Result<Uuid, DbErr> {
        match self.backend {
            Backend::Postgres => self.get(),
            Backend::Sqlite => {
                let text: String = self.get()?;
                Uuid::try_parse(&text).map_err(|error| self.wrong(error))
            }
        }
    }

    fn timestamp(&mut self) -> Result<Option<Timestamp>, DbErr> {
        match self.backend {
            Backend::Postgres => Ok(self.get::<Option<OffsetDateTime>>()?.map(Timestamp::from)),
            Backend::Sqlite => {
                let text: Option<String> = self.get()?;
                let moment = text.map(Timestamp::try_from).transpose();
                moment.map_err(|error| self.wrong(error))
            }
        }
    }

    fn moment(&mut self) -> Result<Timestamp, DbErr> {
        self.timestamp()?.ok_or_else(|| self.wrong("there is no moment"))
    }

    fn json<T: DeserializeOwned>(&mut self) -> Result<T, DbErr> {
        let text: String = self.get()?;
        serde_json::from_str(&text).map_err(|error| self.wrong(error))
    }

    fn status(&mut self) -> Result<Status, DbErr> {
        let text: String = self.get()?;
        text.parse().map_err(|error| self.wrong(error))
    }

    fn operation<T: std::str::FromStr>(&mut self) -> Result<Option<T>, DbErr>
    where
        T::Err: fmt::Display,
    {
        let text: Option<String> = self.get()?;
        text.map(|text| text.parse()).transpose().map_err(|error| self.wrong(error))
    }

    fn fields(&mut self, model: &ResourceModel) -> Result<Map<String, Value>, DbErr> {
        let mut fields = Map::new();
        for field in model.fields() {
            let value = self.field(field.declared.kind)?;
            fields.insert(field.name().to_owned(), value);
        }
        Ok(fields)
    }

    fn field(&mut self, kind: Kind) -> Result<Value, DbErr> {
        Ok(match kind {
            Kind::Text | Kind::Secret => Value::from(self.get::<Option<String>>()?),
            Kind::Integer => Value::from(self.get::<Option<i64>>()?),
            Kind::Boolean => Value::from(self.get::<Option<bool>>()?),
            Kind::Number => {
                let number = self.get::<Option<f64>>()?.and_then(Number::from_f64);
                number.map_or(Value::Null, Value::Number)
            }
            Kind::Timestamp => Value::from(self.timestamp()?.map(|at| at.to_string())),
            Kind::Json => match self.get::<Option<String>>()? {
                None => Value::Null,
                Some(text) => serde_json::from_str(&text).map_err(|error| self.wrong(error))?,
            },
        })
    }
}
