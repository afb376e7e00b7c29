//! Finding operations, and reading their rows.

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Error, Kind, Operation, OperationId, Operations, State, Target};
use crate::store::entity::operation as row;

/// Which operations are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Those of one target.
    pub(crate) target: Option<Target>,
    /// Those in one of these states; none: in any.
    pub(crate) states: Vec<State>,
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
        let found = row::Entity::find_by_id(id.to_string()).one(self.store.connection()).await;
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
        let filter = Filter { target: Some(target.clone()), states: Vec::new() };
        let slice = Slice { after: None, n_max: 1 };
        Ok(self.list(&filter, Order::NewestFirst, slice).await?.items.pop())
    }

    /// What was begun or waits to be, oldest first: after a start, what the last run left behind.
    pub(crate) async fn unfinished(&self) -> Result<Vec<Operation>, Error> {
        let filter = Filter { target: None, states: State::OPEN.to_vec() };
        let rows = row::Entity::find().filter(filter.condition());
        self.all(Order::OldestFirst.after(rows, None)).await
    }

    async fn all(&self, rows: Select<row::Entity>) -> Result<Vec<Operation>, Error> {
        let rows = rows.all(self.store.connection()).await.map_err(Error::Read)?;
        rows.into_iter().map(Operation::read).collect()
    }
}

impl Filter {
    fn condition(&self) -> Condition {
        let Self { target, states } = self;
        let words = states.iter().map(|state| state.word());
        let of_state = (!states.is_empty()).then(|| row::Column::State.is_in(words));
        let of_target = target.as_ref().map(|Target { kind, name }| {
            Condition::all()
                .add(row::Column::TargetType.eq(kind))
                .add(row::Column::TargetName.eq(name))
        });
        Condition::all().add_option(of_state).add_option(of_target)
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
            target: Target { kind: row.target_type, name: row.target_name },
            state,
            percent: row.percent,
            description: row.description,
            details: row.details,
            steps,
            failure,
            result: row.result,
            requested_by: row.requested_by,
            request_id: row.request_id,
            created_at: row.created_at.into(),
            started_at: row.started_at.map(Into::into),
            finished_at: row.finished_at.map(Into::into),
        })
    }
}

fn read_json<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}
