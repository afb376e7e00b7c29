//! Fields that are secrets: sealed for their row, and never anywhere in clear.

use plugin_abi::descriptor::Kind;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::model::ResourceModel;
use crate::secret::{Place, SecretText, Secrets};

/// Seals what is secret among `fields` of the resource `id`.
pub(crate) fn seal(
    secrets: &Secrets,
    model: &ResourceModel,
    id: Uuid,
    fields: &mut Map<String, Value>,
) {
    let row = id.to_string();
    for field in model.fields().iter().filter(|field| field.declared.kind == Kind::Secret) {
        let column = &field.declared.name;
        if let Some(Value::String(text)) = fields.get_mut(column) {
            let place = Place { table: model.table(), row: &row, column };
            *text = secrets.seal(&SecretText::new(&**text), place);
        }
    }
}
