//! What types declare, compiled for use: names resolved, schemas ready to judge values, statements written.
//!
//! A [`TypeModel`] is made from a descriptor and from nothing else. It guarantees: every name fits into paths,
//! columns and permissions and is there once; parents exist and form a tree; tables are named as they must be;
//! schemas compile, and a default is a value that its schema takes; no route of the plugin's own answers where a
//! declared collection does. What breaks one of these is a [`ModelError`], which the probe refuses a plugin with.
//! Everything here is pure. Not here: rows, requests, and who may see what.

use std::sync::Arc;

use packer::bundle::ElementName;
use plugin_abi::descriptor::{Descriptor, TypeDescriptor};
use semver::Version;

mod error;
mod field;
mod names;
mod resource;
mod routes;
pub(crate) mod schema;
mod statements;

pub(crate) use error::{ModelError, Wrong};
pub(crate) use field::{Fault, FieldModel};
pub(crate) use names::INSTANCES;
pub(crate) use resource::{ActionModel, ResourceModel};
pub(crate) use statements::{is_changeable, quoted};

/// A type, as one version of its element declares it.
#[derive(Debug)]
pub(crate) struct TypeModel {
    /// What it is called in paths.
    pub(crate) slug: String,
    /// The element that provides it.
    pub(crate) element: ElementName,
    /// The version of that element.
    pub(crate) version: Version,
    /// What was declared.
    pub(crate) declared: TypeDescriptor,
    resources: Vec<Arc<ResourceModel>>,
}

impl TypeModel {
    /// The types of a descriptor, in its order.
    ///
    /// # Errors
    /// The first thing that is wrong with one of them.
    pub(crate) fn all_of(descriptor: &Descriptor) -> Result<Vec<Arc<Self>>, ModelError> {
        let nameless = |_error| ModelError::of_type("", Wrong::Element);
        let element: ElementName = descriptor.element.parse().map_err(nameless)?;
        let version = descriptor.version.parse().map_err(|_error| {
            ModelError::of_type("", Wrong::Version { text: descriptor.version.clone() })
        })?;
        let mut all = Vec::with_capacity(descriptor.types.len());
        for declared in &descriptor.types {
            let model = Self::of(declared, &element, &version)?;
            routes::check(&model, &descriptor.routes)?;
            all.push(Arc::new(model));
        }
        Ok(all)
    }

    /// One type, without a look at the routes beside it. What was served once is made so again from the store.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(crate) fn of(
        declared: &TypeDescriptor,
        element: &ElementName,
        version: &Version,
    ) -> Result<Self, ModelError> {
        let resources = resource::all_of(declared)?;
        check_versions(declared)?;
        Ok(Self {
            slug: declared.slug.clone(),
            element: element.clone(),
            version: version.clone(),
            declared: declared.clone(),
            resources,
        })
    }

    /// Whether it is routes alone.
    pub(crate) fn is_bare(&self) -> bool {
        self.resources.is_empty()
    }

    /// All that it declares, as declared.
    pub(crate) fn resources(&self) -> &[Arc<ResourceModel>] {
        &self.resources
    }

    /// What is declared of a collection.
    pub(crate) fn resource(&self, collection: &str) -> Option<&Arc<ResourceModel>> {
        self.resources.iter().find(|resource| resource.declared.collection == collection)
    }

    /// The collections under `parent`; of `None`: those under the type itself.
    pub(crate) fn below(&self, parent: Option<&str>) -> impl Iterator<Item = &Arc<ResourceModel>> {
        self.resources.iter().filter(move |resource| resource.declared.parent.as_deref() == parent)
    }
}

fn check_versions(declared: &TypeDescriptor) -> Result<(), ModelError> {
    let wrong = |wrong| Err(ModelError::of_type(&declared.slug, wrong));
    for (position, version) in declared.versions.iter().enumerate() {
        let text = &version.version;
        if text.is_empty() || text.len() > 64 || text.chars().any(char::is_control) {
            return wrong(Wrong::TypeVersion { text: text.clone() });
        }
        if declared.versions[..position].iter().any(|other| other.version == *text) {
            return wrong(Wrong::TypeVersionTwice { text: text.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
