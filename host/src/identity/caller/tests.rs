//! Who may do what where: one binding per level, denials, keys, the gate, and what lists show.

use super::super::record::{BindingScope, RoleRef};
use super::super::role::BuiltIn;
use super::super::testing::World;
use super::*;

const READ: &str = "s3.instance.read";

/// Two organizations; the first has two projects, the second one.
struct Land {
    world: World,
    first: Uuid,
    own: ProjectId,
    sister: ProjectId,
    foreign: ProjectId,
}

fn land() -> Land {
    let mut world = World::default();
    let (first, second) = (world.organization("first"), world.organization("second"));
    let (own, sister) = (world.project(first, "own"), world.project(first, "sister"));
    let foreign = world.project(second, "foreign");
    world.user("admin");
    Land { world, first, own, sister, foreign }
}

fn at<'a>(project: ProjectId, slug: &'a str, instance: Option<Uuid>) -> Scope<'a> {
    Scope { project, slug: Some(slug), instance }
}

#[test]
fn one_binding_per_level_gives_exactly_its_scope() {
    let mut land = land();
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let places = [
        ("own s3 one", at(land.own, "s3", Some(one))),
        ("own s3 other", at(land.own, "s3", Some(other))),
        ("own s3", at(land.own, "s3", None)),
        ("own mail", at(land.own, "mail", None)),
        ("own", Scope { project: land.own, slug: None, instance: None }),
        ("sister s3", at(land.sister, "s3", None)),
        ("foreign s3", at(land.foreign, "s3", None)),
    ];
    let cases = [
        (BindingScope::Instance(land.own, "s3".into(), one), vec!["own s3 one"]),
        (BindingScope::Type(land.own, "s3".into()), vec!["own s3 one", "own s3 other", "own s3"]),
        (
            BindingScope::Project(land.own),
            vec!["own s3 one", "own s3 other", "own s3", "own mail", "own"],
        ),
        (
            BindingScope::Organization(land.first),
            vec!["own s3 one", "own s3 other", "own s3", "own mail", "own", "sister s3"],
        ),
        (BindingScope::Platform, places.iter().map(|(name, _)| *name).collect()),
    ];
    for (n, (scope, wanted)) in cases.into_iter().enumerate() {
        let is_platform = scope == BindingScope::Platform;
        let caller = land.world.caller_with(&format!("user-{n}"), BuiltIn::Viewer, scope);
        let given: Vec<_> = places
            .iter()
            .filter(|(_, scope)| caller.allows("s3.instance.read", scope))
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(given, wanted);
        assert_eq!(caller.allows_on_platform("core.element.read"), is_platform);
        assert!(!places.iter().any(|(_, scope)| caller.allows("s3.instance.update", scope)));
    }
}

#[test]
fn nobody_may_anything_by_default_and_the_admin_everything() {
    let mut land = land();
    land.world.user("nobody");
    let (nobody, admin) = (land.world.caller("nobody"), land.world.caller("admin"));
    let here = at(land.own, "s3", None);
    assert!(!nobody.allows(READ, &here) && !nobody.allows_on_platform("core.element.read"));
    assert!(admin.allows("s3.secret.read", &here) && admin.allows_on_platform("a.b.c"));
    assert!(!admin.allows("no permission", &here), "what has not three segments is nobody's");
    assert_eq!(nobody.visible(READ, "s3"), Visible::Nothing);
    assert_eq!(admin.visible(READ, "s3"), Visible::Everything);
}

#[test]
fn a_denial_beats_every_grant_where_it_is_bound() {
    let mut land = land();
    let user = land.world.user("u");
    land.world.bind(user, RoleRef::BuiltIn(BuiltIn::Owner), BindingScope::Organization(land.first));
    let denial = land.world.role(&[], &["s3.*.delete"]);
    land.world.bind(user, denial, BindingScope::Project(land.own));
    let caller = land.world.caller("u");
    assert!(!caller.allows("s3.instance.delete", &at(land.own, "s3", None)));
    assert!(caller.allows("s3.instance.delete", &at(land.sister, "s3", None)));
    assert!(caller.allows("s3.instance.create", &at(land.own, "s3", None)));
}

#[test]
fn lists_show_what_single_reads_would() {
    let mut land = land();
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let user = land.world.user("u");
    let viewer = RoleRef::BuiltIn(BuiltIn::Viewer);
    land.world.bind(user, viewer.clone(), BindingScope::Project(land.own));
    land.world.bind(user, viewer.clone(), BindingScope::Instance(land.sister, "s3".into(), one));
    let denial = land.world.role(&[], &["s3.*.*"]);
    land.world.bind(user, denial.clone(), BindingScope::Instance(land.own, "s3".into(), other));
    let visible = land.world.caller("u").visible(READ, "s3");
    let wanted = Visible::Some {
        projects: [land.own].into(),
        instances: [one].into(),
        hidden: [other].into(),
    };
    assert_eq!(visible, wanted);

    let all = land.world.user("all");
    land.world.bind(all, RoleRef::BuiltIn(BuiltIn::Auditor), BindingScope::Platform);
    assert_eq!(land.world.caller("all").visible(READ, "s3"), Visible::Everything);
    land.world.bind(all, denial, BindingScope::Project(land.foreign));
    let visible = land.world.caller("all").visible(READ, "s3");
    let projects = [land.own, land.sister].into();
    let (instances, hidden) = <(BTreeSet<_>, BTreeSet<_>)>::default();
    assert_eq!(visible, Visible::Some { projects, instances, hidden });
}

#[test]
fn a_key_narrows_and_never_widens() {
    let mut land = land();
    let user = land.world.user("u");
    let viewer = RoleRef::BuiltIn(BuiltIn::Viewer);
    land.world.bind(user, viewer.clone(), BindingScope::Project(land.own));
    land.world.bind(user, viewer, BindingScope::Project(land.sister));
    let scopes = ["s3.*.*", "mail.*.create"].map(|text| text.parse().unwrap());
    let limits = Limits { scopes: vec![scopes.into()], project: Some(land.own) };
    let caller = land.world.limited("u", limits);
    assert!(caller.allows(READ, &at(land.own, "s3", None)));
    assert!(!caller.allows(READ, &at(land.sister, "s3", None)), "another project");
    assert!(!caller.allows("s3.instance.create", &at(land.own, "s3", None)), "not the owner's");
    assert!(!caller.allows("mail.instance.read", &at(land.own, "mail", None)), "not the key's");
    assert_eq!(caller.projects(), [land.own].into());

    let limits = Limits { scopes: Vec::new(), project: Some(land.own) };
    let admin = land.world.limited("admin", limits);
    assert!(admin.allows("s3.instance.create", &at(land.own, "s3", None)));
    assert!(!admin.allows_on_platform("core.element.read"), "a key of a project is of no platform");
    let projects = [land.own].into();
    let (instances, hidden) = <(BTreeSet<_>, BTreeSet<_>)>::default();
    assert_eq!(admin.visible(READ, "s3"), Visible::Some { projects, instances, hidden });
}

#[test]
fn the_gate_asks_for_one_more_role_and_opens_nothing() {
    let mut land = land();
    let platform = land.world.project(land.first, "platform");
    let user = land.world.user("u");
    let owner = RoleRef::BuiltIn(BuiltIn::Owner);
    land.world.bind(user, owner.clone(), BindingScope::Project(land.own));
    let here = at(land.own, "s3", None);
    assert!(land.world.caller("u").allows(READ, &here), "by default there is no gate");
    land.world.gate("platform");
    assert!(!land.world.caller("u").allows(READ, &here));
    assert_eq!(land.world.caller("u").visible(READ, "s3"), Visible::Nothing);
    land.world.bind(user, RoleRef::BuiltIn(BuiltIn::Viewer), BindingScope::Project(platform));
    assert!(land.world.caller("u").allows(READ, &here));

    let other = land.world.user("o");
    land.world.bind(other, owner, BindingScope::Project(platform));
    assert!(!land.world.caller("o").allows(READ, &here), "it never widens");
    land.world.gate("gone");
    assert!(!land.world.caller("u").allows(READ, &here));
    assert!(land.world.caller("admin").allows(READ, &here));
}

#[test]
fn a_project_is_the_one_that_is_named_or_the_only_one() {
    let mut land = land();
    let owner = RoleRef::BuiltIn(BuiltIn::Owner);
    let user = land.world.user("u");
    assert_eq!(land.world.caller("u").project(None), Err(ProjectError::None));
    land.world.bind(user, owner.clone(), BindingScope::Project(land.own));
    let caller = land.world.caller("u");
    assert_eq!(caller.project(None), Ok(land.own));
    assert_eq!(caller.project(Some("own")), Ok(land.own));
    assert_eq!(caller.project(Some(&land.own.to_string())), Ok(land.own));
    for hidden in ["sister", &land.sister.to_string(), "none"] {
        assert_eq!(caller.project(Some(hidden)), Err(ProjectError::NotFound(hidden.to_owned())));
    }
    land.world.bind(user, owner, BindingScope::Project(land.sister));
    let several = ProjectError::Ambiguous(vec!["own".to_owned(), "sister".to_owned()]);
    assert_eq!(land.world.caller("u").project(None), Err(several));
}

#[test]
fn a_refusal_names_permission_project_and_role() {
    let mut land = land();
    let caller = land.world.caller_with("u", BuiltIn::Viewer, BindingScope::Project(land.own));
    let refused = caller.demand("s3.instance.update", &at(land.own, "s3", None)).unwrap_err();
    let wanted = Forbidden {
        permission: "s3.instance.update".to_owned(),
        place: Place::Project("own".to_owned()),
        role: "operator",
    };
    assert_eq!(refused, wanted);
    let refused = caller.demand_on_platform("core.element.update").unwrap_err();
    assert_eq!((refused.place, refused.role), (Place::Platform, "platform-operator"));
}

#[test]
fn nobody_gives_away_what_they_have_not() {
    let mut land = land();
    let user = land.world.user("u");
    let binder = land.world.role(&["iam.role_binding.*", "s3.*.read"], &[]);
    let (own, sister) = (BindingScope::Project(land.own), BindingScope::Project(land.sister));
    land.world.bind(user, binder.clone(), own.clone());
    let caller = land.world.caller("u");
    assert!(caller.demand_to_pass_on(&binder, &own).is_ok(), "a role that one has there");
    assert!(caller.demand_to_pass_on(&binder, &sister).is_err());
    let viewer = RoleRef::BuiltIn(BuiltIn::Viewer);
    assert!(caller.demand_to_pass_on(&viewer, &own).is_err());
    assert!(caller.demand_everything().is_err());

    land.world.bind(user, RoleRef::BuiltIn(BuiltIn::Owner), own.clone());
    let owner = land.world.caller("u");
    assert!(owner.demand_to_pass_on(&viewer, &own).is_ok());
    assert!(owner.demand_to_pass_on(&viewer, &BindingScope::Organization(land.first)).is_err());
    let limits = Limits { scopes: Vec::new(), project: Some(land.own) };
    let narrowed = land.world.limited("u", limits);
    assert!(narrowed.demand_to_pass_on(&viewer, &own).is_err(), "its key was made for less");

    let denial = land.world.role(&[], &["s3.*.delete"]);
    land.world.bind(user, denial, own.clone());
    assert!(land.world.caller("u").demand_to_pass_on(&viewer, &own).is_err());
    assert!(land.world.caller("admin").demand_everything().is_ok());
}
