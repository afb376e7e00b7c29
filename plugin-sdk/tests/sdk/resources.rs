//! Declared resources: what the descriptor says of them, and how mistakes are named.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use plugin_abi::descriptor::{Descriptor, Kind};
use plugin_sdk::prelude::*;
use plugin_sdk::resource::TypeVersion;
use plugin_sdk::serde_json;
use plugin_sdk::{Declared, Timestamp, testing};

/// An object store.
#[derive(Resource)]
struct Instance {
    /// How objects are encrypted.
    #[field(default = Encryption::None)]
    encryption: Encryption,
    /// The most bytes in it.
    quota_bytes: Option<u64>,
    /// Where it answers.
    #[field(ro, format = "uri")]
    endpoint: Option<String>,
    /// When it was looked at last.
    #[field(hidden)]
    checked_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[json(schema)]
#[serde(rename_all = "snake_case")]
enum Encryption {
    None,
    /// By keys of the store's own.
    Aes256,
}

/// A bucket.
///
/// It is emptied before it goes.
#[derive(Resource)]
#[resource(parent = Instance, demands_if_match)]
struct Bucket {
    /// Its name in the store.
    #[field(write_once, unique(project), length(min = 3, max = 63), pattern = "^[a-z]+$")]
    bucket_name: String,
    /// Who may read it.
    #[field(default, length(max = 10))]
    readers: Vec<String>,
    #[field(default = 30, range(min = 1, max = 365), indexed)]
    days: u16,
    #[field(references = Bucket)]
    copy_of: Option<String>,
    #[field(references = "database/instances", unique(type))]
    inventory: Option<String>,
    rules: Option<BTreeMap<String, Rule>>,
    ratio: Option<f32>,
}

#[json(schema)]
struct Rule {
    prefix: String,
    after_days: Option<u32>,
}

#[derive(Resource)]
#[resource(parent = Bucket, collection = "access-keys")]
struct AccessKey {
    #[field(write_only)]
    pin: Option<Secret>,
    #[field(shown_once)]
    secret: Option<Secret>,
}

struct S3;

#[json(schema)]
struct Emptied {
    /// How many objects were in it.
    objects: u64,
}

#[json(schema)]
struct Empty {
    /// Also what is locked.
    #[serde(default)]
    locked: bool,
}

#[plugin(element = "s3aas", types = ["s3"])]
impl Plugin for S3 {
    async fn start(_context: Context, _settings: NoSettings) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn resources() -> Resources<Self> {
        let empty = Action::new("empty", async |_: Stored<Bucket>, Input(_): Input<Empty>| {
            Json(Emptied { objects: 0 })
        });
        Resources::new()
            .describe("Object storage.")
            .version(TypeVersion {
                version: "1.0".to_owned(),
                status: "available".to_owned(),
                description: String::new(),
                upgrade_from: Vec::new(),
            })
            .with(Instance::collection().reconcile(settle::<Instance>).validate(pass::<Instance>))
            .with(
                Bucket::collection()
                    .action(empty.describe("Deletes all objects."))
                    .action(Action::safe("check", async |_: Stored<Bucket>| ())),
            )
            .with(AccessKey::collection())
    }
}

async fn settle<R: Resource>(resource: Stored<R>) -> Result<Reconciled<R>, Failed> {
    Ok(resource.settled())
}

async fn pass<R: Resource>(_: Change<R>) -> Result<(), Invalid> {
    Ok(())
}

fn described() -> Descriptor {
    testing::descriptor::<S3>().expect("it declares what can be")
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn shown(value: impl serde::Serialize, wanted: Expect) {
    wanted.assert_eq(&serde_json::to_string_pretty(&value).expect("it is JSON"));
}

#[expect(clippy::too_many_lines, reason = "a document as it is")]
#[test]
fn a_struct_becomes_a_resource() {
    let instances = &described().types[0].resources[0];
    shown(
        instances,
        expect![[r#"
        {
          "collection": "instances",
          "name": "instance",
          "description": "An object store.",
          "table": "s3_instances",
          "fields": [
            {
              "name": "encryption",
              "kind": "text",
              "schema": {
                "default": "none",
                "description": "How objects are encrypted.",
                "oneOf": [
                  {
                    "enum": [
                      "none"
                    ],
                    "type": "string"
                  },
                  {
                    "const": "aes256",
                    "description": "By keys of the store's own.",
                    "type": "string"
                  }
                ],
                "type": "string"
              },
              "policy": "rw",
              "default": "none"
            },
            {
              "name": "quota_bytes",
              "kind": "integer",
              "schema": {
                "description": "The most bytes in it.",
                "format": "uint64",
                "maximum": 9223372036854775807,
                "minimum": 0,
                "type": [
                  "integer",
                  "null"
                ]
              },
              "policy": "rw"
            },
            {
              "name": "endpoint",
              "kind": "text",
              "schema": {
                "description": "Where it answers.",
                "format": "uri",
                "type": [
                  "string",
                  "null"
                ]
              },
              "policy": "ro"
            },
            {
              "name": "checked_at",
              "kind": "timestamp",
              "schema": {
                "description": "When it was looked at last.",
                "format": "date-time",
                "type": [
                  "string",
                  "null"
                ]
              },
              "policy": "hidden"
            }
          ],
          "hooks": [
            "validate",
            "reconcile"
          ]
        }"#]],
    );
}

#[expect(clippy::too_many_lines, reason = "a document as it is")]
#[test]
fn every_word_about_a_field_is_in_the_descriptor() {
    let buckets = &described().types[0].resources[1];
    assert_eq!(buckets.parent.as_deref(), Some("instances"));
    assert_eq!(buckets.description, "A bucket.\nIt is emptied before it goes.");
    assert!(buckets.demands_if_match);
    shown(
        &buckets.fields,
        expect![[r#"
        [
          {
            "name": "bucket_name",
            "kind": "text",
            "schema": {
              "description": "Its name in the store.",
              "maxLength": 63,
              "minLength": 3,
              "pattern": "^[a-z]+$",
              "type": "string"
            },
            "policy": "write_once",
            "required": true,
            "unique": "project"
          },
          {
            "name": "readers",
            "kind": "json",
            "schema": {
              "default": [],
              "description": "Who may read it.",
              "items": {
                "type": "string"
              },
              "maxItems": 10,
              "type": "array"
            },
            "policy": "rw",
            "default": []
          },
          {
            "name": "days",
            "kind": "integer",
            "schema": {
              "default": 30,
              "format": "uint16",
              "maximum": 365,
              "minimum": 1,
              "type": "integer"
            },
            "policy": "rw",
            "default": 30,
            "indexed": true
          },
          {
            "name": "copy_of",
            "kind": "text",
            "schema": {
              "type": [
                "string",
                "null"
              ]
            },
            "policy": "rw",
            "reference": {
              "slug": "s3",
              "collection": "buckets"
            }
          },
          {
            "name": "inventory",
            "kind": "text",
            "schema": {
              "type": [
                "string",
                "null"
              ]
            },
            "policy": "rw",
            "unique": "type",
            "reference": {
              "slug": "database",
              "collection": "instances"
            }
          },
          {
            "name": "rules",
            "kind": "json",
            "schema": {
              "additionalProperties": {
                "additionalProperties": false,
                "properties": {
                  "after_days": {
                    "format": "uint32",
                    "maximum": 4294967295,
                    "minimum": 0,
                    "type": [
                      "integer",
                      "null"
                    ]
                  },
                  "prefix": {
                    "type": "string"
                  }
                },
                "required": [
                  "prefix"
                ],
                "type": "object"
              },
              "type": [
                "object",
                "null"
              ]
            },
            "policy": "rw"
          },
          {
            "name": "ratio",
            "kind": "number",
            "schema": {
              "format": "float",
              "type": [
                "number",
                "null"
              ]
            },
            "policy": "rw"
          }
        ]"#]],
    );
}

#[test]
fn actions_have_schemas_of_what_they_take_and_give() {
    let descriptor = described();
    assert_eq!(descriptor.types[0].description, "Object storage.");
    assert_eq!(descriptor.types[0].versions[0].version, "1.0");
    shown(
        &descriptor.types[0].resources[1].actions,
        expect![[r#"
        [
          {
            "verb": "empty",
            "description": "Deletes all objects.",
            "input": {
              "additionalProperties": false,
              "properties": {
                "locked": {
                  "default": false,
                  "description": "Also what is locked.",
                  "type": "boolean"
                }
              },
              "type": "object"
            },
            "output": {
              "properties": {
                "objects": {
                  "description": "How many objects were in it.",
                  "format": "uint64",
                  "minimum": 0,
                  "type": "integer"
                }
              },
              "required": [
                "objects"
              ],
              "type": "object"
            }
          },
          {
            "verb": "check",
            "safe": true
          }
        ]"#]],
    );
}

#[test]
fn secrets_are_text_to_clients_and_a_kind_to_the_host() {
    let keys = &described().types[0].resources[2];
    assert_eq!((&*keys.table, &*keys.name), ("s3_access_keys", "access_key"));
    assert!(keys.fields.iter().all(|field| field.kind == Kind::Secret));
    shown(
        &keys.fields[0].schema,
        expect![[r#"
            {
              "format": "password",
              "type": [
                "string",
                "null"
              ],
              "writeOnly": true
            }"#]],
    );
}

#[test]
fn the_descriptor_is_always_the_same() {
    assert_eq!(testing::descriptor_bytes::<S3>(), testing::descriptor_bytes::<S3>());
}

/// A plugin with these types and resources.
macro_rules! declares {
    ($name:ident: $types:expr, $resources:expr) => {
        struct $name;

        impl Declared for $name {
            const ELEMENT: &'static str = "mistaken";
            const VERSION: &'static str = "1.0.0";
            const TYPES: &'static [&'static str] = &$types;
        }

        impl Plugin for $name {
            type Settings = NoSettings;

            async fn start(_context: Context, _: NoSettings) -> Result<Self, StartError> {
                Ok(Self)
            }

            fn resources() -> Resources<Self> {
                $resources
            }
        }
    };
}

/// What is wrong with a plugin.
fn told<P: Plugin>() -> String {
    testing::descriptor::<P>().expect_err("it declares what cannot be")
}

declares!(TwoTypes: ["one", "two"], Resources::new().with(Instance::collection()));
declares!(OtherType: ["s3"], Resources::new().of_type("s4", Resources::new()));
declares!(
    NestedTypes: ["s3"],
    Resources::new().of_type("s3", Resources::new().of_type("s3", Resources::new()))
);
declares!(NoParent: ["s3"], Resources::new().with(Bucket::collection()));
declares!(
    TwiceStruct: ["s3"],
    Resources::new().with(Instance::collection()).with(Instance::collection())
);
declares!(
    TwiceHook: ["s3"],
    Resources::new().with(Instance::collection().validate(pass::<Instance>).validate(pass::<Instance>))
);
declares!(
    TwiceAction: ["s3"],
    Resources::new().with(
        Instance::collection()
            .action(Action::new("go", async |_: Stored<Instance>| ()))
            .action(Action::safe("go", async |_: Stored<Instance>| ()))
    )
);
declares!(
    BadVerb: ["s3"],
    Resources::new()
        .with(Instance::collection().action(Action::new("Go", async |_: Stored<Instance>| ())))
);

#[test]
fn resources_that_are_nowhere_are_told_by_name() {
    let wanted = "the plugin has 2 types: say whose resources these are by `Resources::of_type`";
    assert!(told::<TwoTypes>().ends_with(wanted), "{}", told::<TwoTypes>());
    assert!(told::<OtherType>().contains("the resources of type `s4` have no type: add `s4`"));
    assert!(told::<NestedTypes>().contains("resources of a type inside of those of `s3`"));
    let wanted = "collection `buckets`: its parent `instances` is no collection of type `s3`";
    assert!(told::<NoParent>().ends_with(wanted), "{}", told::<NoParent>());
    let wanted = "collection `instances`: its struct is registered twice";
    assert!(told::<TwiceStruct>().contains(wanted));
    assert!(told::<TwiceHook>().contains("collection `instances`: it has two hooks of one kind"));
    let wanted = "action `go` of collection `instances`: it is declared twice; remove one of them";
    assert!(told::<TwiceAction>().ends_with(wanted), "{}", told::<TwiceAction>());
    assert!(
        told::<BadVerb>().contains("action `Go` of collection `instances`: the verb must match")
    );
}

/// A struct with one mistake, and how it is told.
macro_rules! mistaken {
    ($test:ident: { $($item:tt)* } $wanted:expr) => {
        #[test]
        fn $test() {
            $($item)*

            declares!(Mistaken: ["s3"], Resources::new().with(Item::collection()));
            let told = told::<Mistaken>();
            assert!(told.contains($wanted), "`{told}` does not tell `{}`", $wanted);
        }
    };
}

mistaken!(a_secret_by_another_name_is_not_readable: {
    type Hush = Secret;

    #[derive(Resource)]
    struct Item {
        hush: Hush,
    }
} "field `hush` of collection `items`: it is a secret that clients could read back");

mistaken!(a_secret_is_not_buried: {
    #[json(schema)]
    struct Login {
        password: Secret,
    }

    #[derive(Resource)]
    struct Item {
        #[field(write_only)]
        login: Login,
    }
} "field `login` of collection `items`: there is a secret in it, which would not be encrypted");

mistaken!(what_only_the_plugin_says_is_nothing_at_first: {
    #[derive(Resource)]
    struct Item {
        #[field(ro)]
        rule: Rule,
    }
} "field `rule` of collection `items`: only the plugin says it");

mistaken!(lists_are_in_no_index: {
    #[derive(Resource)]
    struct Item {
        #[field(indexed)]
        names: Vec<String>,
    }
} "only text, numbers, booleans and timestamps can be unique or indexed");

mistaken!(bounds_fit_what_they_bound: {
    #[derive(Resource)]
    struct Item {
        #[field(length(max = 5))]
        size: u64,
    }
} "field `size` of collection `items`: `length` is for text and lists");

mistaken!(a_range_is_of_numbers: {
    #[derive(Resource)]
    struct Item {
        #[field(range(max = 5))]
        word: String,
    }
} "field `word` of collection `items`: `range` is for numbers");

mistaken!(a_pattern_is_of_text: {
    #[derive(Resource)]
    struct Item {
        #[field(pattern = "x")]
        size: u64,
    }
} "`pattern` and `format` are for text");

mistaken!(a_type_that_contains_itself_has_no_schema: {
    #[json(schema)]
    struct Tree {
        below: Vec<Tree>,
    }

    #[derive(Resource)]
    struct Item {
        tree: Tree,
    }
} "its type contains itself, which a schema that stands alone cannot say");

mistaken!(without_a_parent_nothing_is_unique_under_it: {
    #[derive(Resource)]
    struct Item {
        #[field(unique(parent))]
        word: String,
    }
} "it is unique under the same parent, and there is none");

mistaken!(references_are_text: {
    #[derive(Resource)]
    struct Item {
        #[field(references = "database/instances")]
        of: u64,
    }
} "it names another resource, so it must be text");

mistaken!(references_lead_somewhere: {
    #[derive(Resource)]
    struct Item {
        #[field(references = Instance)]
        of: String,
    }
} "its field `of` references `instances`, which is no collection of type `s3`");

mistaken!(collections_have_paths_of_their_own: {
    #[derive(Resource)]
    #[resource(collection = "metrics")]
    struct Item {}
} "collection `metrics`: the name is reserved");

mistaken!(instances_are_directly_under_the_type: {
    #[derive(Resource)]
    #[resource(collection = "instances", parent = Bucket)]
    struct Item {}
} "collection `instances`: instances hang under their type");
