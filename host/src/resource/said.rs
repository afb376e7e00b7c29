//! What plugins say of resources by themselves: fields of their own, and no field that is their users' to say.

use plugin_abi::descriptor::Policy;
use serde_json::{Map, Value};

use crate::model::ResourceModel;

/// Whether a plugin may say these fields; a sentence tells why not.
///
/// # Errors
/// It may not.
pub(crate) fn check(model: &ResourceModel, fields: &Map<String, Value>) -> Result<(), String> {
    for (name, value) in fields {
        let Some(field) = model.field(name) else {
            return Err(format!("the plugin says a field `{name}`, which it did not declare"));
        };
        match field.declared.policy {
            Policy::Ro | Policy::ShownOnce | Policy::Hidden => {}
            Policy::Rw | Policy::WriteOnce | Policy::WriteOnly => {
                return Err(format!("the plugin says field `{name}`, which is its users' to say"));
            }
        }
        if !value.is_null()
            && let Err(faults) = field.check(value)
        {
            let fault = faults.first().map_or("", |fault| &fault.message);
            return Err(format!(
                "the plugin says a field `{name}` that its schema refuses: {fault}"
            ));
        }
    }
    Ok(())
}
