//! What is said of what is missing, and which names a step may have.

use expect_test::expect;
use plugin_abi::descriptor::{Field, Kind, Unique};

use super::*;
use crate::model::testing::{collection, descriptor, field};

#[test]
fn what_is_missing_is_told_with_the_command_that_writes_it() {
    let mut demo = plugin_abi::descriptor::TypeDescriptor::new("demo");
    let mut instances = collection("instances", "instance", None);
    instances.fields = vec![
        Field { indexed: true, ..field("size", Kind::Integer) },
        Field { unique: Some(Unique::Project), ..field("serial", Kind::Text) },
    ];
    demo.resources = vec![instances];
    let descriptor = descriptor(vec![demo]);
    expect![[r#"
        the migrations of `demo` 0.1.0 do not give its declared fields all they need:
          table `demo_instances` has no column `size` for the declared field, a `bigint`
          table `demo_instances` has no index that begins with `size`, by which lists are filtered
          table `demo_instances` has no column `serial` for the declared field, a `text`
          table `demo_instances` has no unique index on `project_id`, `serial`, by which the declared field is unique
        write the missing steps with `metapaas plugin migration new NAME`"#]].assert_eq(&require(&descriptor).unwrap_err().to_string());
}

#[test]
fn a_step_has_a_name_of_a_few_plain_words() {
    assert_eq!(parse_name("sizes of instances_2").unwrap(), "sizes of instances_2");
    for wrong in ["", "2 sizes", "a\"b", "größe", &"x".repeat(61)] {
        assert!(parse_name(wrong).is_err(), "{wrong}");
    }
}
