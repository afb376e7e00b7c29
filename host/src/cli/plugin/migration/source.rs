//! Migrations as sources of a plugin: one file for each step below `src/migrations`, and a list of them.
//!
//! Guarantees: a file that is there is not written over, but for the list, which keeps all that it has. A list that
//! was written by hand in another way is left alone, and what to add to it is told.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use plugin_abi::descriptor::{Migration, Phase, Statements};

/// How wide rustfmt leaves an array on one line.
const ARRAY_WIDTH: usize = 60;

/// Where a plugin keeps its migrations.
#[derive(Debug)]
pub(super) struct Sources {
    /// `src`.
    folder: PathBuf,
}

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    /// One for each step.
    pub(super) files: Vec<PathBuf>,
    /// What is left for the author.
    pub(super) left_to_do: Option<String>,
}

impl Sources {
    /// Those of the package with this manifest.
    pub(super) fn of(manifest: &Path) -> Self {
        Self { folder: manifest.parent().unwrap_or(Path::new("")).join("src") }
    }

    /// Writes these steps.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn add(&self, steps: &[Migration]) -> anyhow::Result<Written> {
        if !self.folder.is_dir() {
            bail!(
                "`{}` is no folder of sources; name the plugin's own manifest by `--manifest-path`",
                self.folder.display()
            );
        }
        let steps_folder = self.folder.join("migrations");
        fs::create_dir_all(&steps_folder)
            .with_context(|| format!("`{}` cannot be made", steps_folder.display()))?;
        let first = next_number(&steps_folder)?;
        let names = (first..).zip(steps).map(|(number, step)| module(number, &step.name));
        let modules: Vec<_> = names.collect();
        let mut files = Vec::new();
        for (module, step) in modules.iter().zip(steps) {
            let path = steps_folder.join(format!("{module}.rs"));
            let file = fs::File::create_new(&path).and_then(|mut file| {
                file.write_all(written(step).as_bytes())?;
                file.sync_all()
            });
            file.with_context(|| format!("`{}` cannot be written", path.display()))?;
            files.push(path);
        }
        Ok(Written { left_to_do: self.list(&modules)?, files })
    }

    /// Puts modules into the list: what that leaves for the author.
    fn list(&self, modules: &[String]) -> anyhow::Result<Option<String>> {
        let nested = self.folder.join("migrations/mod.rs");
        let path = if nested.exists() { nested } else { self.folder.join("migrations.rs") };
        let before = if path.exists() { Some(read(&path)?) } else { None };
        let Some(after) = listed(before.as_deref(), modules) else {
            let mut rest = format!("left to do: in `{}`", path.display());
            for module in modules {
                write!(rest, ", `mod {module};` and `{module}::step()`").expect("it is text");
            }
            return Ok(Some(rest));
        };
        fs::write(&path, after)
            .with_context(|| format!("`{}` cannot be written", path.display()))?;
        let root = read(&self.folder.join("lib.rs")).unwrap_or_default();
        let is_used = root.contains("mod migrations;") && root.contains("migrations::all()");
        Ok((!is_used).then(|| {
            "left to do, beside the plugin: `mod migrations;`, and `fn migrations() -> Vec<Migration<Self>> { migrations::all() }` in its `impl Plugin`".to_owned()
        }))
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("`{}` cannot be read", path.display()))
}

/// One more than the highest number of a file that is there.
fn next_number(folder: &Path) -> anyhow::Result<u32> {
    let mut next = 1;
    let files = fs::read_dir(folder);
    let files = files.with_context(|| format!("`{}` cannot be read", folder.display()))?;
    for file in files {
        let name = file?.file_name().to_string_lossy().into_owned();
        let digits = name.strip_prefix('m').and_then(|rest| rest.split('_').next());
        let number = digits.and_then(|digits| digits.parse::<u32>().ok());
        next = next.max(number.map_or(0, |number| number.saturating_add(1)));
    }
    Ok(next)
}

/// What the module of a step is called.
fn module(number: u32, name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(str::to_ascii_lowercase).collect();
    format!("m{number:04}_{}", words.join("_"))
}

/// A step as a file.
fn written(step: &Migration) -> String {
    let Migration { id, name, depends_on, phase, up, down, backfill: _ } = step;
    let phase = match phase {
        Phase::Expand => "expand",
        Phase::Contract => "contract",
    };
    let mut calls = format!("Migration::{phase}({}, {})", literal(id), literal(name));
    for id in depends_on {
        calls += &format!("\n        .depends_on({})", literal(id));
    }
    let statements = add("up", up).chain(down.iter().flat_map(|down| add("down", down)));
    calls.extend(statements);
    let imports = if calls.contains("Sql::new()") { "{Migration, Sql}" } else { "Migration" };
    format!(
        "//! Migration: {name}.\n\
         //!\n\
         //! Once it is released it never changes: what it gets wrong, a further step puts right.\n\
         \n\
         use plugin_sdk::{imports};\n\
         \n\
         pub(crate) fn step<P>() -> Migration<P> {{\n    {calls}\n}}\n"
    )
}

/// One call for each statement, both databases at once where they agree.
fn add<'a>(part: &'a str, statements: &'a Statements) -> impl Iterator<Item = String> + 'a {
    let Statements { sqlite, postgres } = statements;
    sqlite.iter().zip(postgres).map(move |(sqlite, postgres)| {
        if sqlite == postgres {
            return format!("\n        .{part}({})", literal(sqlite));
        }
        let (sqlite, postgres) = (literal(sqlite), literal(postgres));
        format!(
            "\n        .{part}(Sql::new()\n            .sqlite({sqlite})\n            .postgres({postgres}))"
        )
    })
}

fn literal(text: &str) -> String {
    if text.contains('"') { format!("r#\"{text}\"#") } else { format!("\"{text}\"") }
}

/// The list with these modules in it; none when it is not one that was written here.
fn listed(before: Option<&str>, modules: &[String]) -> Option<String> {
    const FIRST: &str = "//! How the tables came to be: one step a file, oldest first. `metapaas plugin migration new` adds to it.\n\
        \n\
        use plugin_sdk::Migration;\n\
        \n\
        pub(crate) fn all<P>() -> Vec<Migration<P>> {\n    vec![]\n}\n";
    let before = before.unwrap_or(FIRST);
    let (head, rest) = before.rsplit_once("vec![")?;
    let (entries, tail) = rest.split_once(']')?;
    let mut calls: Vec<_> = entries.split(',').map(str::trim).collect();
    calls.retain(|call| !call.is_empty());
    if !calls.iter().all(|call| is_call(call)) {
        return None;
    }
    let new: Vec<_> = modules.iter().map(|module| format!("{module}::step()")).collect();
    calls.extend(new.iter().map(String::as_str));
    let declared: String = modules.iter().map(|module| format!("mod {module};\n")).collect();
    let head = match head.rfind("\nmod ") {
        Some(last) => {
            let end = head[last + 1..].find('\n')? + last + 2;
            format!("{}{declared}{}", &head[..end], &head[end..])
        }
        None => head.replacen("\nuse ", &format!("\n{declared}\nuse "), 1),
    };
    Some(format!("{head}vec![{}]{tail}", array(&calls)))
}

/// `module::step()`, with or without more in front of it.
fn is_call(text: &str) -> bool {
    let path = text.strip_suffix("()");
    path.is_some_and(|path| path.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c)))
}

/// As rustfmt writes it.
fn array(calls: &[&str]) -> String {
    let line = calls.join(", ");
    if line.len() <= ARRAY_WIDTH {
        return line;
    }
    let lines: String = calls.iter().map(|call| format!("\n        {call},")).collect();
    format!("{lines}\n    ")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn step(phase: Phase) -> Migration {
        let both = |sql: &str| Statements { sqlite: vec![sql.into()], postgres: vec![sql.into()] };
        let mut up = both("ALTER TABLE demo_instances ADD COLUMN size bigint");
        up.sqlite.push("ALTER TABLE demo_instances ADD COLUMN \"order\" text".to_owned());
        up.postgres
            .push("ALTER TABLE demo_instances ADD COLUMN \"order\" text COLLATE \"C\"".to_owned());
        Migration {
            id: "0197f2a0-0000-7000-8000-000000000002".to_owned(),
            name: "sizes and order".to_owned(),
            depends_on: vec!["0197f2a0-0000-7000-8000-000000000001".to_owned()],
            phase,
            up,
            down: Some(both("ALTER TABLE demo_instances DROP COLUMN size")),
            backfill: None,
        }
    }

    #[test]
    fn a_step_is_a_file_that_reads_as_one_written_by_hand() {
        expect![[r##"
            //! Migration: sizes and order.
            //!
            //! Once it is released it never changes: what it gets wrong, a further step puts right.

            use plugin_sdk::{Migration, Sql};

            pub(crate) fn step<P>() -> Migration<P> {
                Migration::expand("0197f2a0-0000-7000-8000-000000000002", "sizes and order")
                    .depends_on("0197f2a0-0000-7000-8000-000000000001")
                    .up("ALTER TABLE demo_instances ADD COLUMN size bigint")
                    .up(Sql::new()
                        .sqlite(r#"ALTER TABLE demo_instances ADD COLUMN "order" text"#)
                        .postgres(r#"ALTER TABLE demo_instances ADD COLUMN "order" text COLLATE "C""#))
                    .down("ALTER TABLE demo_instances DROP COLUMN size")
            }
        "##]].assert_eq(&written(&step(Phase::Expand)));
        assert!(written(&step(Phase::Contract)).contains("Migration::contract(\"0197"));
    }

    #[test]
    fn a_list_is_made_and_grows() {
        let modules = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let first = listed(None, &modules(&["m0001_fields"])).unwrap();
        expect![[r#"
            //! How the tables came to be: one step a file, oldest first. `metapaas plugin migration new` adds to it.

            mod m0001_fields;

            use plugin_sdk::Migration;

            pub(crate) fn all<P>() -> Vec<Migration<P>> {
                vec![m0001_fields::step()]
            }
        "#]].assert_eq(&first);
        let more = listed(Some(&first), &modules(&["m0002_sizes", "m0003_what_is_unique"]));
        expect![[r#"
            //! How the tables came to be: one step a file, oldest first. `metapaas plugin migration new` adds to it.

            mod m0001_fields;
            mod m0002_sizes;
            mod m0003_what_is_unique;

            use plugin_sdk::Migration;

            pub(crate) fn all<P>() -> Vec<Migration<P>> {
                vec![
                    m0001_fields::step(),
                    m0002_sizes::step(),
                    m0003_what_is_unique::step(),
                ]
            }
        "#]].assert_eq(&more.unwrap());
    }

    #[test]
    fn a_list_of_another_kind_is_left_alone() {
        for list in [
            "pub(crate) fn all() -> Vec<Migration<Demo>> { old().collect() }",
            "fn all() { vec![Migration::expand(\"x\", \"y\").up([\"z\"])] }",
        ] {
            assert_eq!(listed(Some(list), &["m0001_x".to_owned()]), None, "{list}");
        }
    }

    #[test]
    fn files_have_numbers_that_no_other_has() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("Cargo.toml");
        fs::create_dir(folder.path().join("src")).unwrap();
        let sources = Sources::of(&manifest);
        let lib = "mod migrations;\nfn migrations() { migrations::all() }";
        for wanted in ["m0001_sizes_and_order.rs", "m0002_sizes_and_order.rs"] {
            let written = sources.add(&[step(Phase::Expand)]).unwrap();
            assert!(written.files[0].ends_with(wanted), "{written:?}");
            // Only the first time there is something left: then the author has done it.
            assert_eq!(written.left_to_do.is_some(), wanted.starts_with("m0001"), "{written:?}");
            fs::write(folder.path().join("src/lib.rs"), lib).unwrap();
        }
        let list = fs::read_to_string(folder.path().join("src/migrations.rs")).unwrap();
        let both = "vec![m0001_sizes_and_order::step(), m0002_sizes_and_order::step()]";
        assert!(list.contains(both), "{list}");
    }

    #[test]
    fn without_sources_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources::of(&folder.path().join("Cargo.toml"));
        let error = sources.add(&[step(Phase::Expand)]).unwrap_err().to_string();
        assert!(error.ends_with("name the plugin's own manifest by `--manifest-path`"), "{error}");
    }
}
