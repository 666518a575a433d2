//! The matrix of roles, to be read; and who somebody is here.

use axum::extract::State;
use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, json, users as shown_users};
use crate::domain::roles::{MATRIX, Row};
use crate::domain::{Grant, Role};
use crate::ops::{Work, tenants, users};

/// `GET /v1/roles`: a row an act, with a cell for every role.
pub(super) async fn matrix(State(doors): State<Doors>, call: Call) -> Result<Reply, Problem> {
    let told = doors.app.look(call.rights, |work| {
        work.require(&Grant::Read("roles"))?;
        let items: Vec<Value> = MATRIX.iter().map(|row| shown(row, &Role::ALL)).collect();
        Ok(json!({ "roles": Role::ALL, "items": items, "nextCursor": null }))
    });
    Ok(Reply::ok(told.await?))
}

/// `GET /v1/whoami`: of a user their roles and what each act of the matrix comes to, of a token its grants.
pub(super) async fn whoami(State(doors): State<Doors>, call: Call) -> Result<Reply, Problem> {
    Ok(Reply::ok(doors.app.look(call.rights, told).await?))
}

fn told(work: &mut Work) -> crate::ops::Result<Value> {
    let mut out = principal(work)?;
    if let Some(own) = tenants::own(work)? {
        out["customer"] = json!({ "id": own.id, "companyName": own.company_name, "domain": own.domain });
    }
    Ok(out)
}

fn principal(work: &mut Work) -> crate::ops::Result<Value> {
    let user = users::own(work)?;
    let rights = &work.rights;
    let Some(held) = rights.grants.held() else {
        return Ok(json!({
            "principal": rights.principal,
            "grants": rights.grants.list,
            "tenants": rights.grants.tenants,
        }));
    };
    let has = |row: &Row| held.roles.iter().any(|role| row.cell(*role) != crate::domain::roles::Cell::None);
    let may = MATRIX.iter().filter(|row| has(row)).filter_map(|row| {
        let grants = held.opened(row);
        // A token that is narrowed to none of what an act takes is as one of nobody who may do it.
        (held.only.is_empty() || !grants.is_empty()).then(|| {
            let mut told = shown(row, &held.roles);
            told["grants"] = grants.into();
            told
        })
    });
    let may: Vec<Value> = may.collect();
    Ok(json!({
        "principal": rights.principal,
        "user": user.as_ref().map(shown_users::shown),
        "roles": held.roles,
        "only": held.only,
        "tenants": rights.grants.tenants,
        "may": may,
    }))
}

fn shown(row: &Row, roles: &[Role]) -> Value {
    let cells: Map<String, Value> =
        roles.iter().map(|role| (role.to_string(), json::shown(&row.cell(*role)))).collect();
    json!({
        "act": row.act,
        "title": row.title,
        "grants": row.grants(),
        "only": row.only,
        "source": row.source,
        "cells": cells,
    })
}
