//! The promises of the matrix.

use super::*;
use crate::domain::Grants;
use crate::domain::principal::READ_NOUNS;

fn held(roles: &[Role]) -> Held {
    Held { user: "anna".to_owned(), roles: roles.to_vec(), assigned: Vec::new(), only: Vec::new() }
}

fn tenant(number: u8) -> TenantId {
    TenantId::from_bytes([number; 16])
}

const SUBJECTS: [Subject; 2] = [
    Subject::Holding { software: true, trial: false, seats: Ordering::Equal },
    Subject::Holding { software: false, trial: false, seats: Ordering::Equal },
];

#[test]
fn every_kind_has_one_row_for_software_one_for_the_rest_and_one_that_answers() {
    for kind in Kind::ALL {
        for subject in SUBJECTS {
            let wanted = Grant::Propose(Some(kind));
            let rows: Vec<&str> =
                MATRIX.iter().filter(|row| row.opens(&wanted) && row.is_about(subject)).map(|row| row.act).collect();
            assert_eq!(rows.len(), 1, "{kind} {subject:?}: {rows:?}");
        }
        let subject = Subject::Kind(kind);
        for wanted in [Grant::Decide(Some(kind)), Grant::Read("requests"), Grant::Read("decisions")] {
            let rows = MATRIX.iter().filter(|row| row.opens(&wanted) && row.is_about(subject));
            assert_eq!(rows.count(), 1, "{wanted} {kind}");
        }
        assert!(LIFECYCLE.contains(&kind) != MONEY.contains(&kind), "{kind}: answered by one group or the other");
    }
}

#[test]
fn every_grant_a_row_opens_is_one_and_every_noun_is_opened() {
    for row in MATRIX {
        for text in row.grants() {
            assert!(text.parse::<Grant>().is_ok(), "{}: {text}", row.act);
        }
    }
    for noun in READ_NOUNS {
        assert!(MATRIX.iter().any(|row| row.opens(&Grant::Read(noun))), "{noun}: no role may look at it");
    }
    let mut acts: Vec<&str> = MATRIX.iter().map(|row| row.act).collect();
    acts.sort_unstable();
    acts.dedup();
    assert_eq!(acts.len(), MATRIX.len(), "an act stands in one row");
}

/// ROLE, exactly: who acts on software, and who on everything else.
#[test]
fn software_is_bought_and_managed_by_two_roles_and_cancelled_by_one() {
    let five = [Role::GlobalAdmin, Role::AdminAgent, Role::BillingAdmin, Role::SalesAgent, Role::HelpdeskAgent];
    let [software, service] = SUBJECTS;
    let may = |role: Role, kind: Kind, subject: Subject| {
        let user = Held { assigned: vec![tenant(1)], ..held(&[role]) };
        user.leave(&Grant::Propose(Some(kind)), subject, Place::Tenant(tenant(1))) == Leave::Act
    };
    for role in Role::ALL {
        for kind in [Kind::Suspension, Kind::Cancellation, Kind::AutoRenew] {
            assert_eq!(may(role, kind, service), five.contains(&role), "{role} {kind} of a service");
        }
        let manages = [Role::GlobalAdmin, Role::AdminAgent].contains(&role);
        for kind in [Kind::Suspension, Kind::Reactivation, Kind::AutoRenew, Kind::Renewal, Kind::Quantity] {
            assert_eq!(may(role, kind, software), manages, "{role} {kind} of software");
        }
        assert_eq!(may(role, Kind::Cancellation, software), role == Role::AdminAgent, "{role} cancels software");
    }
}

#[test]
fn several_roles_are_their_union_and_assignment_belongs_to_its_role() {
    let subject = Subject::Holding { software: false, trial: false, seats: Ordering::Greater };
    let wanted = Grant::Propose(Some(Kind::Quantity));
    let both = Held { assigned: vec![tenant(1)], ..held(&[Role::SalesAgent, Role::HelpdeskAgent]) };
    let looks = |at: TenantId| both.leave(&Grant::Read("subscriptions"), subject, Place::Tenant(at));
    assert_eq!((looks(tenant(1)), looks(tenant(2))), (Leave::Act, Leave::Look), "helpdesk looks everywhere");
    assert_eq!(both.leave(&wanted, subject, Place::Tenant(tenant(1))), Leave::Act);
    assert_eq!(both.leave(&wanted, subject, Place::Tenant(tenant(2))), Leave::Nothing, "assigned to sales only");
    let sales = Held { roles: vec![Role::SalesAgent], ..both };
    let suspend = Grant::Propose(Some(Kind::Suspension));
    assert_eq!(
        sales.leave(&suspend, subject, Place::Tenant(tenant(2))),
        Leave::Nothing,
        "what is not seen is not touched"
    );
    assert_eq!(sales.leave(&suspend, subject, Place::Everywhere), Leave::Nothing);
    assert_eq!(sales.leave(&suspend, subject, Place::Somewhere), Leave::Act);
}

#[test]
fn nothing_in_common_is_nothing_allowed() {
    let admin = held(&[Role::AdminAgent]);
    let wanted = Grant::Read("subscriptions");
    let look = |user: &Held| user.leave(&wanted, Subject::Whole, Place::Somewhere) > Leave::Nothing;
    assert!(look(&admin));
    assert!(look(&admin.within(&[Grant::Read("subscriptions")])));
    assert!(!look(&admin.within(&[Grant::Read("ledger")])));
    assert!(!look(&admin.within(&[])));
    assert!(!look(&admin.within(&[Grant::Read("ledger")]).within(&[Grant::Read("subscriptions")])));
    assert!(look(&admin.within(&[Grant::All]).within(&[Grant::Read("subscriptions")])));
    let plain = Grants { list: vec![Grant::Propose(None), Grant::StoreAdmin], tenants: Some(vec![tenant(1)]) };
    let common = plain.within_both(&[Grant::Propose(Some(Kind::Suspension)), Grant::Read("subscriptions")]);
    assert_eq!(common.list, [Grant::Propose(Some(Kind::Suspension))]);
    assert_eq!(common.tenants, plain.tenants);
    assert!(Grants::all().within_both(&[]).list.is_empty());
}

#[test]
fn a_role_is_read_as_partner_center_shows_it() {
    for role in Role::ALL {
        assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
        let shown = role.as_str().replace('_', " ");
        let shown = shown[..1].to_uppercase() + &shown[1..];
        assert_eq!(shown.parse::<Role>().unwrap(), role, "{shown}");
    }
    assert_eq!("owner".parse::<Role>().unwrap_err().code, "unknown_role");
}
