//! Plugins whose only point is what they declare: elements, versions and migrations that a test makes up.
//!
//! One build of the fixture `schema` serves for all of them: what it declares is written over a place in a copy of
//! its library. It keeps nothing and promises nothing, so every promise about schemas can be broken by it.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::plugins::{self, Plugin, Workspace, pack};

/// The place in the library; spaces follow, and end with it.
const MARK: &[u8] = b"schema, to be written over by a test:";

/// What a made-up plugin declares.
#[derive(Debug, Clone)]
pub struct Schema {
    element: String,
    version: String,
    document: Value,
}

/// What goes wrong with a made-up plugin that declares nothing wrong.
#[derive(Debug, Clone, Copy)]
pub enum Fails {
    /// It does not start in a probe.
    Probe,
    /// It starts in a probe and not in the daemon.
    Start,
    /// It starts and is not well.
    Check,
}

/// A made-up plugin, and the folder that its bundle is in.
#[derive(Debug)]
pub struct Packed {
    /// The plugin.
    pub plugin: Plugin,
    _folder: TempDir,
}

impl Schema {
    /// An element with one type, called as the element is without its dashes, and no migration.
    #[must_use]
    pub fn new(element: &str, version: &str) -> Self {
        let document = json!({
            "element": element,
            "version": version,
            "types": [element.replace('-', "")],
            "settings_schema": {},
            "migrations": [],
            "fails": null,
        });
        Self { element: element.to_owned(), version: version.to_owned(), document }
    }

    /// With what goes before: the migrations of an earlier version.
    #[must_use]
    pub fn after(mut self, migrations: &[Value]) -> Self {
        self.migrations_mut().extend_from_slice(migrations);
        self
    }

    /// With a step that can be undone, in the same statements for both databases.
    #[must_use]
    pub fn expand(self, number: u32, up: &[&str], down: &[&str]) -> Self {
        let step = self.step(number, "expand", up, down);
        self.after(&[step])
    }

    /// With a step that cannot be undone, in the same statements for both databases.
    #[must_use]
    pub fn contract(self, number: u32, up: &[&str]) -> Self {
        let mut step = self.step(number, "contract", up, &[]);
        let _no_way_back = step.as_object_mut().and_then(|step| step.remove("down"));
        self.after(&[step])
    }

    /// With what goes wrong.
    #[must_use]
    pub fn failing(self, fails: Fails) -> Self {
        let stage = match fails {
            Fails::Probe => "probe",
            Fails::Start => "start",
            Fails::Check => "check",
        };
        self.with("fails", json!(stage))
    }

    /// With this member of its document: `types`, `settings_schema`, `migrations`.
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        self.document[member] = value;
        self
    }

    /// The step of this number as a descriptor has it.
    ///
    /// Every step depends on the one before it: its number is one more.
    #[must_use]
    pub fn step(&self, number: u32, phase: &str, up: &[&str], down: &[&str]) -> Value {
        let mut step = json!({
            "id": self.id(number),
            "name": format!("step {number}"),
            "phase": phase,
            "up": { "sqlite": up, "postgres": up },
            "down": { "sqlite": down, "postgres": down },
        });
        // A descriptor leaves out what is empty.
        if let Some(before) = self.migrations().last() {
            step["depends_on"] = json!([before["id"]]);
        }
        step
    }

    /// The id of the step of this number: the same in every version, another one in every element.
    #[must_use]
    pub fn id(&self, number: u32) -> String {
        let element = self
            .element
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        format!("{element:08x}-0000-4000-8000-{number:012}")
    }

    /// Its migrations as a descriptor has them.
    ///
    /// # Panics
    /// When they were made something that is no list.
    #[must_use]
    pub fn migrations(&self) -> &[Value] {
        self.document["migrations"].as_array().expect("migrations are a list")
    }

    fn migrations_mut(&mut self) -> &mut Vec<Value> {
        self.document["migrations"].as_array_mut().expect("migrations are a list")
    }

    /// Makes a library of it and packs that.
    ///
    /// # Panics
    /// When the fixture is not built, or the document has no room in it, or cannot be packed.
    #[must_use]
    pub fn pack(&self) -> Packed {
        let folder = TempDir::with_prefix("metapaas-").expect("there is room for temporary files");
        let copy = folder.path().join("copy.so");
        fs::write(&copy, self.library()).expect("an own folder can be written");
        pack(&copy, folder.path());
        let bundle = folder.path().join(format!("{}-{}.bundle", self.element, self.version));
        let (element, version) = (self.element.clone(), self.version.clone());
        Packed { plugin: Plugin { element, version, bundle }, _folder: folder }
    }

    /// The library with the document in its place.
    ///
    /// # Panics
    /// When the fixture is not built, or the document has no room in it.
    #[must_use]
    pub fn library(&self) -> Vec<u8> {
        let mut library =
            fs::read(plugins::library(Workspace::Fixtures, "schema")).expect("it is built");
        let places = library.windows(MARK.len()).enumerate().filter(|(_, bytes)| *bytes == MARK);
        let starts: Vec<usize> = places.map(|(start, _)| start).collect();
        let [start] = *starts else { panic!("the mark is {} times in the library", starts.len()) };
        let place = &mut library[start..];
        let n_spaces = place[MARK.len()..].iter().take_while(|byte| **byte == b' ').count();
        let document = self.document.to_string();
        assert!(document.len() <= MARK.len() + n_spaces, "no room for {document}");
        place[..MARK.len()].fill(b' ');
        place[..document.len()].copy_from_slice(document.as_bytes());
        library
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_by_element_and_number_and_are_uuids() {
        let (one, other) = (Schema::new("one", "0.1.0"), Schema::new("other", "0.1.0"));
        let ids = [one.id(1), one.id(2), other.id(1)];
        assert!(ids[0] != ids[1] && ids[0] != ids[2], "{ids:?}");
        assert!(ids.iter().all(|id| id.len() == 36), "{ids:?}");
        assert_eq!(Schema::new("one", "0.2.0").id(1), ids[0]);
    }

    #[test]
    fn steps_stand_on_one_another() {
        let schema = Schema::new("one", "0.1.0").expand(1, &["a"], &["b"]).contract(2, &["c"]);
        let [first, second] = schema.migrations() else { panic!("two were declared") };
        assert_eq!(second["depends_on"], json!([first["id"]]));
        assert_eq!(first["down"]["sqlite"], json!(["b"]));
        assert!(first.get("depends_on").is_none() && second.get("down").is_none());
    }

    #[test]
    fn what_is_written_is_what_the_bundle_declares() {
        let schema = Schema::new("made-up", "7.1.0").expand(1, &["a"], &["b"]);
        let packed = schema.pack();
        let limits = packer::bundle::Limits::default();
        let bundle = packer::bundle::Bundle::open(&packed.plugin.bundle, &limits).unwrap();
        let descriptor: Value = serde_json::from_slice(bundle.descriptor()).unwrap();
        assert_eq!(descriptor["migrations"].as_array().unwrap(), schema.migrations());
        assert_eq!(
            (&descriptor["version"], &descriptor["types"][0]["slug"]),
            (&json!("7.1.0"), &json!("madeup"))
        );
    }
}
