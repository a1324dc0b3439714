use serde::{Deserialize, Serialize};

use crate::Invalid;

/// One page of a list, oldest rule of the API: `{"items":[…],"next":null|"…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// What to send as `?after=` for the next page; `null` on the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts rows that were asked for with one more than `limit` into a page.
    pub fn cut(mut rows: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let next = (rows.len() > limit).then(|| {
            rows.truncate(limit);
            rows.last().map(cursor)
        });
        Self {
            items: rows,
            next: next.flatten(),
        }
    }

    /// Cuts the page that is wanted out of a list that is at hand as a whole.
    ///
    /// # Errors
    /// When the limit lies outside 1..=500, or `after` is the id of no row.
    pub fn of_all(
        mut rows: Vec<T>,
        query: &PageQuery,
        id: impl Fn(&T) -> String,
    ) -> Result<Self, Invalid> {
        let limit = query.limit()?;
        if let Some(after) = &query.after {
            let last = rows
                .iter()
                .position(|row| id(row) == *after)
                .ok_or_else(|| Invalid::new("after", "Send the `next` of the page before."))?;
            rows.drain(..=last);
        }
        Ok(Self::cut(rows, limit, id))
    }

    /// Turns every row into another kind, keeping the cursor.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(turn).collect(),
            next: self.next,
        }
    }
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct PageQuery {
    /// How many rows at the most, 1..=500; 100 when missing.
    pub limit: Option<i64>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

impl PageQuery {
    /// The limit, checked.
    ///
    /// # Errors
    /// When it lies outside 1..=500.
    pub fn limit(&self) -> Result<i64, Invalid> {
        match self.limit.unwrap_or(100) {
            limit @ 1..=500 => Ok(limit),
            _ => Err(Invalid::new("limit", "A page has between 1 and 500 rows.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_appears_only_when_more_follows() {
        let more = Page::cut(vec![1, 2, 3], 2, ToString::to_string);
        assert_eq!(
            more,
            Page {
                items: vec![1, 2],
                next: Some("2".into())
            }
        );
        let last = Page::cut(vec![1, 2], 2, ToString::to_string);
        assert_eq!(
            last,
            Page {
                items: vec![1, 2],
                next: None
            }
        );
    }

    #[test]
    fn the_pages_of_a_whole_list_hold_each_row_once() {
        let page = |limit, after: Option<&str>| {
            let query = PageQuery {
                limit,
                after: after.map(str::to_owned),
            };
            Page::of_all(vec![7, 3, 5], &query, ToString::to_string)
                .map(|page| (page.items, page.next))
                .map_err(|invalid| invalid.field)
        };
        assert_eq!(page(None, None), Ok((vec![7, 3, 5], None)));
        assert_eq!(page(Some(2), None), Ok((vec![7, 3], Some("3".into()))));
        assert_eq!(page(Some(2), Some("3")), Ok((vec![5], None)));
        assert_eq!(page(None, Some("5")), Ok((vec![], None)));
        assert_eq!(page(None, Some("4")), Err("after"));
        for limit in [-1, 0, 501] {
            assert_eq!(page(Some(limit), None), Err("limit"));
        }
    }
}
