//! A resource that was not there.

use plugin_abi::descriptor::Hook;
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::advice::Advice;
use super::ledger::{Ledger, Told};
use super::objection::{Objection, Objections, Why, pointer};
use super::wanted::Wanted;
use super::writes::Collection;
use super::{Ask, Effect, Refused, Writes, Written};
use crate::event::Change;
use crate::identity::ProjectId;
use crate::identity::quota::{self, Measure};
use crate::model::INSTANCES;
use crate::resource::row::Row;
use crate::resource::rows::{self, Key};
use crate::resource::said;
use crate::resource::status::{self, Status};
use crate::secret::{Place, SecretText};
use crate::store::writer::Work;
use crate::timestamp::Timestamp;

/// What shall be, and where.
#[derive(Debug)]
pub(crate) struct New {
    /// Its project.
    pub(crate) project: ProjectId,
    /// What it hangs under, and the instance at the top of that.
    pub(crate) parent: Option<(Uuid, Uuid)>,
    /// What is said of it.
    pub(crate) members: Map<String, Value>,
}

impl Writes {
    /// Makes a resource.
    ///
    /// # Errors
    /// Why not; then nothing was written.
    ///
    /// # Cancellation
    /// One that was begun is written.
    pub(crate) async fn create(&self, ask: Ask, new: New) -> Result<Written, Refused> {
        let parent = new.parent;
        let row = self.new_row(&ask, new)?;
        let advice = self.advice(&ask.collection, None, &row, ask.mode).await?;
        self.insert(ask, row, parent, advice).await
    }

    /// Makes a resource that its plugin asks for, with what it says of it.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub(crate) async fn create_for_plugin(
        &self,
        ask: Ask,
        new: New,
        said: Map<String, Value>,
    ) -> Result<Written, Refused> {
        said::check(&ask.collection.model, &said).map_err(Refused::Nonsense)?;
        let parent = new.parent;
        let row = self.new_row(&ask, new)?;
        let advice = self.sealed(&ask.collection, &row, said);
        self.insert(ask, row, parent, advice).await
    }

    async fn insert(
        &self,
        ask: Ask,
        mut row: Row,
        parent: Option<(Uuid, Uuid)>,
        advice: Advice,
    ) -> Result<Written, Refused> {
        row.fields.extend(advice.fields);
        let model = &ask.collection.model;
        let now = row.created_at;
        status::settle(model, &mut row, now);
        let instance = parent.map_or(row.id, |(_parent, top)| top);
        let work = Create { writes: self.clone(), ask, row, instance, told: advice.told };
        self.write(work).await
    }

    fn new_row(&self, ask: &Ask, new: New) -> Result<Row, Refused> {
        let New { project, parent, members } = new;
        let (id, now) = (Uuid::now_v7(), Timestamp::now());
        let model = &ask.collection.model;
        let wanted = Wanted::new(model, members).map_err(Refused::Objections)?;
        let mut row = Row {
            id,
            project,
            parent: parent.map(|(parent, _top)| parent),
            name: String::new(),
            description: String::new(),
            labels: [].into(),
            annotations: [].into(),
            generation: 1,
            observed_generation: i64::from(!model.has(Hook::Reconcile)),
            revision: 1,
            status: Status::Pending,
            status_message: String::new(),
            conditions: Vec::new(),
            deletion_protection: false,
            deleting_at: None,
            last_operation: None,
            created_at: now,
            updated_at: now,
            created_by: ask.requester.principal.clone(),
            fields: Map::new(),
        };
        row.name.clone_from(&wanted.name);
        self.put(&ask.collection, &mut row, wanted);
        Ok(row)
    }

    /// Makes `row` what is wanted of it; what its plugin says of it stays.
    pub(super) fn put(&self, collection: &Collection, row: &mut Row, wanted: Wanted) {
        let Wanted {
            name: _,
            description,
            labels,
            annotations,
            deletion_protection,
            mut fields,
            secrets,
        } = wanted;
        let model = &collection.model;
        let id = row.id.to_string();
        for (column, secret) in secrets {
            let place = Place { table: model.table(), row: &id, column: &column };
            let sealed = self.parts().secrets.seal(&SecretText::new(secret), place);
            fields.insert(column, sealed.into());
        }
        for field in model.fields() {
            let is_clients = field.is_said_on_create();
            if (is_clients || !row.fields.contains_key(field.name()))
                && let Some(value) = fields.remove(field.name())
            {
                row.fields.insert(field.name().to_owned(), value);
            }
        }
        row.description = description;
        (row.labels, row.annotations) = (labels, annotations);
        row.deletion_protection = deletion_protection;
    }
}

struct Create {
    writes: Writes,
    ask: Ask,
    row: Row,
    /// At the top of what it hangs under.
    instance: Uuid,
    told: Told,
}

impl Work for Create {
    type Done = Written;
    type Refused = Refused;

    async fn write(&mut self, db: &DatabaseTransaction) -> Result<Written, Refused> {
        let model = self.ask.collection.model.clone();
        self.check_project(db).await?;
        self.check_parent(db).await?;
        self.check_name(db).await?;
        check_references(db, &self.ask.collection, &self.row, None).await?;
        let Self { writes, ask, row, instance, told } = self;
        let ledger = Ledger { writes, db, ask, instance: *instance };
        let operation = if model.has(Hook::Reconcile) {
            ledger.begin(row, "create").await?
        } else {
            ledger.done(row, "create", "it is as it is wanted").await?
        };
        let inserted = rows::insert(db, &model, row).await;
        inserted.map_err(|error| Refused::of_row(&model, &row.name, error))?;
        let last = Some(&operation);
        ledger.tell(Change::Added, &model, row, last).await?;
        ledger.close(row, Effect::Created, last, last, std::mem::take(told)).await
    }

    fn committed(self, _done: &Written) {
        self.writes.committed(&self.ask.collection.model, self.row.id);
    }
}

impl Create {
    /// The project is there, and may have one more; both stay so until the end.
    async fn check_project(&self, db: &DatabaseTransaction) -> Result<(), Refused> {
        let (model, project) = (&self.ask.collection.model, self.row.project);
        let limits = quota::hold(db, project, &model.slug).await?.ok_or(Refused::NoProject)?;
        if model.collection() == INSTANCES && limits.has(Measure::Instances) {
            let used = rows::count_of(db, model, project).await?;
            limits.check(Measure::Instances, used, 1)?;
        }
        Ok(())
    }

    /// What it hangs under is there, and stays.
    async fn check_parent(&self, db: &DatabaseTransaction) -> Result<(), Refused> {
        let Collection { r#type, model, .. } = &self.ask.collection;
        let parent = self.row.parent.zip(model.declared.parent.as_deref());
        let Some((id, collection)) = parent else { return Ok(()) };
        let parent_model = r#type.resource(collection).ok_or(Refused::Gone)?;
        let parent = rows::held(db, parent_model, id).await?.ok_or(Refused::Gone)?;
        match parent.deleting_at {
            None => Ok(()),
            Some(_) => {
                Err(Refused::Deleting { name: parent.name, operation: parent.last_operation })
            }
        }
    }

    async fn check_name(&self, db: &DatabaseTransaction) -> Result<(), Refused> {
        let Row { name, project, parent, .. } = &self.row;
        let key = Key::Name(name, *project);
        match rows::find(db, &self.ask.collection.model, *parent, key).await? {
            None => Ok(()),
            Some(_) => Err(Refused::NameTaken(name.clone())),
        }
    }
}

/// What the fields of `row` name is there; what they named `before` is not looked at again.
pub(super) async fn check_references(
    db: &impl ConnectionTrait,
    collection: &Collection,
    row: &Row,
    before: Option<&Row>,
) -> Result<(), Refused> {
    let Collection { r#type, model, .. } = collection;
    let mut objections = Objections::default();
    for field in model.fields() {
        // Another type's are not ours to look at.
        let own = field.declared.reference.as_ref().filter(|to| to.slug == model.slug);
        let Some(target) = own.and_then(|to| r#type.resource(&to.collection)) else { continue };
        let value = row.fields.get(field.name());
        let Some(named) = value.and_then(Value::as_str) else { continue };
        if before.is_some_and(|before| before.fields.get(field.name()) == value) {
            continue;
        }
        let parent = row.parent.filter(|_| target.declared.parent == model.declared.parent);
        let key = match Uuid::try_parse(named) {
            Ok(id) => Key::Id(id),
            Err(_name) => Key::Name(named, row.project),
        };
        let found = rows::find(db, target, parent, key).await?;
        if found.is_none_or(|found| found.project != row.project) {
            let one = target.declared.name.replace('_', " ");
            let message = format!("it names no {one} of the project");
            objections.add(pointer(field.name()), Why::Invalid, message);
        }
    }
    let found: Result<(), Vec<Objection>> = objections.or(());
    found.map_err(Refused::Objections)
}
