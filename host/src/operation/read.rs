//! Finding operations, and reading their rows.

use std::collections::BTreeSet;

use sea_orm::sea_query::IntoCondition;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::{ELEMENT, Error, Kind, Operation, OperationId, Operations, Requester, State, Target};
use crate::identity::ProjectId;
use crate::store::entity::operation as row;

/// Which operations are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Those about one thing.
    pub(crate) about: Option<About>,
    /// Those of one project.
    pub(crate) project: Option<Uuid>,
    /// Those of these projects; nothing: of any, and the platform's.
    pub(crate) within: Option<BTreeSet<ProjectId>>,
    /// Those in one of these states; none: in any.
    pub(crate) states: Vec<State>,
}

/// What an operation may be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// The element of this name, or any resource of this type and name.
    Named {
        /// `element`, or a type.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The resource with this id.
    Id(Uuid),
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By `created_at`.
    OldestFirst,
    /// The other way round.
    NewestFirst,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    /// What comes behind this one; the beginning, if there is none.
    pub(crate) after: Option<OperationId>,
    /// At most so many.
    pub(crate) n_max: u64,
}

/// A part of a list.
#[derive(Debug)]
pub(crate) struct Page {
    /// The operations.
    pub(crate) items: Vec<Operation>,
    /// The last of them, if there are more behind it.
    pub(crate) more_after: Option<OperationId>,
}

impl Operations {
    /// The operation `id`, if there is one.
    pub(crate) async fn get(&self, id: OperationId) -> Result<Option<Operation>, Error> {
        self.get_in(self.store.connection(), id).await
    }

    /// The same as [`Self::get`], as `db` sees it.
    ///
    /// # Errors
    /// The store could not be asked.
    pub(crate) async fn get_in(
        &self,
        db: &impl ConnectionTrait,
        id: OperationId,
    ) -> Result<Option<Operation>, Error> {
        let found = row::Entity::find_by_id(id.to_string()).one(db).await;
        found.map_err(Error::Read)?.map(Operation::read).transpose()
    }

    /// A part of the operations that `filter` lets through.
    pub(crate) async fn list(
        &self,
        filter: &Filter,
        order: Order,
        slice: Slice,
    ) -> Result<Page, Error> {
        let Slice { after, n_max } = slice;
        let rows = row::Entity::find().filter(filter.condition());
        // One more than asked for tells whether there are more.
        let rows = order.after(rows, after).limit(n_max.saturating_add(1));
        let mut items = self.all(rows).await?;
        let n_max = usize::try_from(n_max).unwrap_or(usize::MAX);
        let there_are_more = items.len() > n_max;
        items.truncate(n_max);
        let more_after = items.last().filter(|_| there_are_more).map(|last| last.id);
        Ok(Page { items, more_after })
    }

    /// The newest operation of `target`.
    pub(crate) async fn last_of(&self, target: &Target) -> Result<Option<Operation>, Error> {
        let filter = Filter { about: Some(target.into()), ..Filter::default() };
        let slice = Slice { after: None, n_max: 1 };
        Ok(self.list(&filter, Order::NewestFirst, slice).await?.items.pop())
    }

    /// What was begun with elements or waits to be, oldest first: after a start, what the last run left behind.
    pub(crate) async fn unfinished_of_elements(&self) -> Result<Vec<Operation>, Error> {
        self.unfinished(row::Column::TargetType.eq(ELEMENT)).await
    }

    /// The same of resources.
    pub(crate) async fn unfinished_of_resources(&self) -> Result<Vec<Operation>, Error> {
        self.unfinished(row::Column::TargetType.ne(ELEMENT)).await
    }

    async fn unfinished(&self, of: impl IntoCondition) -> Result<Vec<Operation>, Error> {
        let filter = Filter { states: State::OPEN.to_vec(), ..Filter::default() };
        let rows = row::Entity::find().filter(filter.condition()).filter(of);
        self.all(Order::OldestFirst.after(rows, None)).await
    }

    async fn all(&self, rows: Select<row::Entity>) -> Result<Vec<Operation>, Error> {
        let rows = rows.all(self.store.connection()).await.map_err(Error::Read)?;
        rows.into_iter().map(Operation::read).collect()
    }
}

impl Filter {
    fn condition(&self) -> Condition {
        let Self { about, project, within, states } = self;
        let words = states.iter().map(|state| state.word());
        let of_state = (!states.is_empty()).then(|| row::Column::State.is_in(words));
        let of_project = project.map(|id| row::Column::ProjectId.eq(id.to_string()));
        let of_target = about.as_ref().map(About::condition);
        let of_projects = within
            .as_ref()
            .map(|projects| row::Column::ProjectId.is_in(projects.iter().map(ToString::to_string)));
        Condition::all()
            .add_option(of_projects)
            .add_option(of_state)
            .add_option(of_project)
            .add_option(of_target)
    }
}

impl About {
    fn condition(&self) -> Condition {
        match self {
            Self::Named { kind, name } => Condition::all()
                .add(row::Column::TargetType.eq(kind))
                .add(row::Column::TargetName.eq(name)),
            Self::Id(id) => Condition::all().add(row::Column::TargetId.eq(id.to_string())),
        }
    }
}

impl From<&Target> for About {
    fn from(target: &Target) -> Self {
        match target.id {
            Some(id) => Self::Id(id),
            None => Self::Named { kind: target.kind.clone(), name: target.name.clone() },
        }
    }
}

impl Order {
    fn after(self, rows: Select<row::Entity>, after: Option<OperationId>) -> Select<row::Entity> {
        let after = after.map(|id| id.to_string());
        let behind = after.map(|id| match self {
            Self::OldestFirst => row::Column::Id.gt(id),
            Self::NewestFirst => row::Column::Id.lt(id),
        });
        let rows = rows.filter(Condition::all().add_option(behind));
        match self {
            Self::OldestFirst => rows.order_by_asc(row::Column::Id),
            Self::NewestFirst => rows.order_by_desc(row::Column::Id),
        }
    }
}

impl Operation {
    pub(super) fn read(row: row::Model) -> Result<Self, Error> {
        let damaged = |member, value: &str| {
            let (id, value) = (row.id.clone(), value.to_owned());
            Error::Damaged { id, member, value }
        };
        let id = row.id.parse().map_err(|_no_uuid| damaged("the id", &row.id))?;
        let kind = Kind::named(&row.kind).ok_or_else(|| damaged("the kind", &row.kind))?;
        let state = State::named(&row.state).ok_or_else(|| damaged("the state", &row.state))?;
        let uuid = |member, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_no_uuid| damaged(member, text)),
        };
        let (target_id, instance, project) = (
            uuid("the target's id", &row.target_id)?,
            uuid("the instance's id", &row.instance_id)?,
            uuid("the project's id", &row.project_id)?,
        );
        let steps =
            read_json(&row.steps).ok_or_else(|| damaged("the steps", &row.steps.to_string()))?;
        let failure = match &row.error {
            Some(error) => {
                Some(read_json(error).ok_or_else(|| damaged("the error", &error.to_string()))?)
            }
            None => None,
        };
        Ok(Self {
            id,
            kind,
            target: Target {
                kind: row.target_type,
                name: row.target_name,
                id: target_id,
                instance,
                project,
            },
            state,
            percent: row.percent,
            description: row.description,
            details: row.details,
            steps,
            failure,
            result: row.result,
            requester: Requester {
                principal: row.requested_by,
                request_id: row.request_id,
                traceparent: row.traceparent,
            },
            revision: row.revision,
            created_at: row.created_at.into(),
            started_at: row.started_at.map(Into::into),
            finished_at: row.finished_at.map(Into::into),
        })
    }
}

fn read_json<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}
