//! From a row to the values of its columns.

use plugin_abi::descriptor::Kind;
use plugin_abi::resource::columns;
use sea_orm::Value as Sea;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Part, Row};
use crate::model::{FieldModel, ResourceModel, is_changeable};
use crate::resource::kept;
use crate::store::Backend;
use crate::timestamp::Timestamp;

pub(super) fn values(row: &Row, model: &ResourceModel, backend: Backend, part: Part) -> Vec<Sea> {
    let own = columns::ALL.iter().zip(own(row, backend));
    let wanted = own.filter(|(column, _value)| part == Part::Whole || is_changeable(column.name));
    let fields = model.fields().iter().map(|field| {
        let value = row.fields.get(field.name()).unwrap_or(&Value::Null);
        of_field(field, value, backend)
    });
    wanted.map(|(_column, value)| value).chain(fields).collect()
}

/// In the order of [`columns::ALL`].
fn own(row: &Row, backend: Backend) -> [Sea; columns::ALL.len()] {
    let Row {
        id,
        project,
        parent,
        name,
        description,
        labels,
        annotations,
        generation,
        observed_generation,
        revision,
        status,
        status_message,
        conditions,
        deletion_protection,
        deleting_at,
        last_operation,
        created_at,
        updated_at,
        created_by,
        fields: _,
    } = row;
    let moment = |at: Timestamp| kept::moment(backend, at.into_inner());
    let deleting_at = deleting_at.map_or_else(|| no_timestamp(backend), moment);
    [
        kept::uuid(backend, *id),
        kept::uuid(backend, project.uuid()),
        kept::uuid(backend, parent.unwrap_or(Uuid::nil())),
        Sea::from(name.as_str()),
        Sea::from(description.as_str()),
        json(labels),
        json(annotations),
        Sea::from(*generation),
        Sea::from(*observed_generation),
        Sea::from(*revision),
        Sea::from(status.word()),
        Sea::from(status_message.as_str()),
        json(conditions),
        Sea::from(*deletion_protection),
        deleting_at,
        Sea::from(last_operation.map(|id| id.to_string())),
        moment(*created_at),
        moment(*updated_at),
        Sea::from(created_by.as_str()),
    ]
}

fn no_timestamp(backend: Backend) -> Sea {
    match backend {
        Backend::Sqlite => Sea::String(None),
        Backend::Postgres => Sea::TimeDateTimeWithTimeZone(None),
    }
}

fn json(value: &impl Serialize) -> Sea {
    Sea::from(serde_json::to_string(value).expect("strings and numbers are JSON"))
}

/// A value of another kind than the field's is kept as none: [`FieldModel::check`] lets none pass.
fn of_field(field: &FieldModel, value: &Value, backend: Backend) -> Sea {
    match field.declared.kind {
        Kind::Text | Kind::Secret => Sea::from(value.as_str().map(str::to_owned)),
        Kind::Integer => Sea::from(value.as_i64()),
        Kind::Number => Sea::from(value.as_f64()),
        Kind::Boolean => Sea::from(value.as_bool()),
        Kind::Json => {
            let text = (!value.is_null()).then(|| value.to_string());
            Sea::from(text)
        }
        Kind::Timestamp => {
            let moment = value.as_str().and_then(|text| Timestamp::try_from(text.to_owned()).ok());
            moment
                .map_or_else(|| no_timestamp(backend), |at| kept::moment(backend, at.into_inner()))
        }
    }
}
