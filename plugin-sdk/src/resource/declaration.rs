//! What the descriptor has of a plugin's resources, and the hooks that belong to them.
//!
//! What passes here can be served: names that paths, permissions and tables can have, each once; parents and
//! references that there are; fields that a column can hold. Not here: what the tables are like, which is
//! compared with the plugin's migrations when it is packed.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};

use plugin_abi::descriptor::{Field, Resource, TypeDescriptor, Unique};
use plugin_abi::resource::columns::is_reserved;
use plugin_abi::resource::{RESERVED_COLLECTIONS, RESERVED_VERBS, action_hook_name, hook_name};

use super::collection::{Parts, Resources};
use crate::hooks::Hooks;

/// The longest name of a table: names of indexes add to it, and PostgreSQL cuts them off at 63 bytes.
const TABLE_BYTES_MAX: usize = 48;

/// A mistake in what a plugin declares of its resources.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResourceError {
    /// Resources stand where no type is said, and there is no telling which.
    #[error(
        "the plugin has {n_types} types: say whose resources these are by `Resources::of_type`"
    )]
    WhichType {
        /// How many it has.
        n_types: usize,
    },
    /// Resources are of a type that the plugin does not serve.
    #[error(
        "the resources of type `{slug}` have no type: add `{slug}` to `types` of the attribute"
    )]
    UnknownType {
        /// The slug.
        slug: String,
    },
    /// Resources of a type stand in those of another.
    #[error("resources of a type inside of those of `{slug}`: move them to the outermost ones")]
    Nested {
        /// The outer one.
        slug: String,
    },
    /// A collection cannot be.
    #[error("collection `{collection}`: {fault}")]
    Collection {
        /// Which.
        collection: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A field cannot be.
    #[error("field `{field}` of collection `{collection}`: {fault}")]
    Field {
        /// Which.
        field: String,
        /// Of which.
        collection: String,
        /// What is wrong with it.
        fault: String,
    },
    /// An action cannot be.
    #[error("action `{verb}` of collection `{collection}`: {fault}")]
    Action {
        /// Which.
        verb: String,
        /// Of which.
        collection: String,
        /// What is wrong with it.
        fault: String,
    },
}

/// Where the resources of a struct are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) slug: String,
    pub(crate) collection: &'static str,
}

/// The collections of a plugin, by the struct that was registered for each.
pub(crate) type ByStruct = HashMap<TypeId, Served>;

/// Puts the resources into the types of the descriptor and their hooks to the others.
///
/// # Errors
/// The first mistake.
pub(crate) fn declare<P>(
    resources: Resources<P>,
    types: &mut [TypeDescriptor],
    hooks: &mut Hooks<P>,
) -> Result<ByStruct, ResourceError> {
    let mut by_struct = ByStruct::new();
    let Resources { description, versions, collections, of_types } = resources;
    let of_only_type = Resources { description, versions, collections, of_types: Vec::new() };
    if !of_only_type.is_empty() {
        let n_types = types.len();
        let [only_type] = types else { return Err(ResourceError::WhichType { n_types }) };
        declare_of_type(of_only_type, only_type, hooks, &mut by_struct)?;
    }
    for (slug, resources) in of_types {
        let Some(r#type) = types.iter_mut().find(|r#type| r#type.slug == slug) else {
            return Err(ResourceError::UnknownType { slug });
        };
        declare_of_type(resources, r#type, hooks, &mut by_struct)?;
    }
    Ok(by_struct)
}

impl<P> Resources<P> {
    fn is_empty(&self) -> bool {
        let Self { description, versions, collections, of_types } = self;
        description.is_empty()
            && versions.is_empty()
            && collections.is_empty()
            && of_types.is_empty()
    }
}

fn declare_of_type<P>(
    resources: Resources<P>,
    r#type: &mut TypeDescriptor,
    hooks: &mut Hooks<P>,
    by_struct: &mut ByStruct,
) -> Result<(), ResourceError> {
    let Resources { description, versions, collections, of_types } = resources;
    if !of_types.is_empty() {
        return Err(ResourceError::Nested { slug: r#type.slug.clone() });
    }
    r#type.description = description;
    r#type.versions.extend(versions);
    for parts in collections {
        let (id, collection) = (parts.id, parts.collection);
        let slug = r#type.slug.clone();
        if by_struct.insert(id, Served { slug, collection }).is_some() {
            let fault = "its struct is registered twice; make another one".to_owned();
            return Err(of_collection(collection, fault));
        }
        let resource = resource(parts, &r#type.slug, hooks)?;
        r#type.resources.push(resource);
    }
    check_together(&r#type.resources, &r#type.slug)
}

/// One collection as the descriptor has it.
fn resource<P>(
    parts: Parts<P>,
    slug: &str,
    hooks: &mut Hooks<P>,
) -> Result<Resource, ResourceError> {
    check_collection(&parts, slug)?;
    let Parts { collection, name, parent, description, demands_if_match, .. } = parts;
    let mut declared = Resource {
        collection: collection.to_owned(),
        name: name.to_owned(),
        parent: parent.map(str::to_owned),
        description: description.to_owned(),
        table: table(slug, collection),
        fields: Vec::new(),
        actions: Vec::new(),
        hooks: Vec::new(),
        demands_if_match,
    };
    for field in parts.fields {
        let name = field.name.to_owned();
        let field = field.describe(slug).and_then(|field| checked(field, parent));
        let failed = |fault| {
            let collection = collection.to_owned();
            ResourceError::Field { field: name, collection, fault }
        };
        declared.fields.push(field.map_err(failed)?);
    }
    for (hook, endpoint) in parts.hooks {
        if !hooks.add(hook_name(slug, collection, hook), endpoint) {
            let fault = "it has two hooks of one kind; remove one of them".to_owned();
            return Err(of_collection(collection, fault));
        }
        declared.hooks.push(hook);
    }
    // Always in the same order, however the author wrote them.
    declared.hooks.sort_unstable_by_key(|hook| *hook as u8);
    for (verb, action) in parts.actions {
        let failed = |fault: String| {
            let (verb, collection) = (verb.clone(), collection.to_owned());
            ResourceError::Action { verb, collection, fault }
        };
        if !is_name(&verb, 31, "-") {
            return Err(failed("the verb must match [a-z][a-z0-9-]{0,30}".to_owned()));
        }
        if RESERVED_VERBS.contains(&&*verb) {
            return Err(failed("the verb is the host's; choose another".to_owned()));
        }
        let (action, endpoint) = action.map_err(failed)?;
        if !hooks.add(action_hook_name(slug, collection, &verb), endpoint) {
            return Err(failed("it is declared twice; remove one of them".to_owned()));
        }
        declared.actions.push(action);
    }
    Ok(declared)
}

fn of_collection(collection: &str, fault: String) -> ResourceError {
    ResourceError::Collection { collection: collection.to_owned(), fault }
}

fn table(slug: &str, collection: &str) -> String {
    format!("{slug}_{}", collection.replace('-', "_"))
}

/// What can be wrong with a collection by itself. Names have the right letters: the derive saw to that.
fn check_collection<P>(parts: &Parts<P>, slug: &str) -> Result<(), ResourceError> {
    let collection = parts.collection;
    let n_bytes = table(slug, collection).len();
    let fault = if RESERVED_COLLECTIONS.contains(&collection) {
        Some("the name is reserved: it is something else in paths; choose another".to_owned())
    } else if collection == "instances" && parts.parent.is_some() {
        Some(
            "instances hang under their type; choose another name for what hangs deeper".to_owned(),
        )
    } else if n_bytes > TABLE_BYTES_MAX {
        Some(format!(
            "its table `{}` has a name of {n_bytes} bytes, at most {TABLE_BYTES_MAX} can be; \
             choose a shorter one",
            table(slug, collection)
        ))
    } else {
        None
    };
    fault.map_or(Ok(()), |fault| Err(of_collection(collection, fault)))
}

/// What can be wrong with a field where it stands.
fn checked(field: Field, parent: Option<&str>) -> Result<Field, String> {
    if is_reserved(&field.name) {
        return Err("every resource has a member of that name; choose another".to_owned());
    }
    if field.unique == Some(Unique::Parent) && parent.is_none() {
        return Err(
            "it is unique under the same parent, and there is none; say `unique(project)` \
                    or `unique(type)`"
                .to_owned(),
        );
    }
    Ok(field)
}

/// What can be wrong with the collections of a type beside each other.
fn check_together(resources: &[Resource], slug: &str) -> Result<(), ResourceError> {
    let (mut collections, mut names) = (HashSet::new(), HashSet::new());
    let mut tables = HashSet::new();
    for Resource { collection, name, table, .. } in resources {
        let failed = |fault: String| Err(of_collection(collection, fault));
        if !collections.insert(collection.as_str()) {
            return failed(format!("type `{slug}` has it twice; remove one of them"));
        }
        if !names.insert(name.as_str()) {
            return failed(format!("another collection has the name `{name}` for one of its own"));
        }
        if !tables.insert(table.as_str()) {
            return failed(format!("another collection has the table `{table}`"));
        }
    }
    for resource in resources {
        if let Some(parent) = &resource.parent
            && !collections.contains(parent.as_str())
        {
            let fault = format!("its parent `{parent}` is no collection of type `{slug}`");
            return Err(of_collection(&resource.collection, fault));
        }
        for field in &resource.fields {
            if let Some(reference) = &field.reference
                && reference.slug == slug
                && !collections.contains(reference.collection.as_str())
            {
                let named = &reference.collection;
                let fault = format!(
                    "its field `{}` references `{named}`, which is no collection of type `{slug}`",
                    field.name
                );
                return Err(of_collection(&resource.collection, fault));
            }
        }
    }
    Ok(())
}

fn is_name(name: &str, n_bytes_max: usize, others: &str) -> bool {
    name.len() <= n_bytes_max
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || others.contains(it))
}
