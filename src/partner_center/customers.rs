//! Customers: Partner Center's word for tenants.

use std::collections::BTreeMap;

use super::field::{self, Fields};
use super::merge::{Diff, Import, Merged};
use super::read::{Context, missing_id};
use super::write::{self, Out};
use crate::domain::ids::Guid;
use crate::domain::tenant::Account;
use crate::domain::{Instant, Refusal, Tenant, TenantId};
use crate::json::{self, Value};

/// What a document states about a customer; what it does not state is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomerFact {
    /// Its id.
    pub id: TenantId,
    /// The company's name.
    pub company_name: Option<String>,
    /// `contoso.onmicrosoft.com`.
    pub domain: Option<String>,
    /// ISO country of the billing address, upper case.
    pub country: Option<String>,
    /// When the account was opened.
    pub opened_at: Option<Instant>,
    /// First instant of the first billing period.
    pub first_billing_at: Option<Instant>,
    /// Partner Center's qualification, in lower snake case.
    pub qualification: Option<String>,
    /// When the customer accepted the Microsoft Customer Agreement.
    pub agreed_at: Option<Instant>,
    /// What is overdue, where the document came from here.
    pub account: Option<Account>,
    /// Labels, where the document came from here.
    pub labels: BTreeMap<String, String>,
    /// Everything else, as JSON text by field.
    pub extra: BTreeMap<String, String>,
}

/// Reads a customer, or the company or billing profile of one.
pub(super) fn read(row: &Value, fields: &mut Fields<'_>, context: &Context) -> Result<CustomerFact, Refusal> {
    let mut fact = CustomerFact::default();
    let kind = row.get_any_case("attributes").and_then(|found| found.get_any_case("objectType")?.as_str());
    fields.take("attributes");
    fields.take("userCredentials"); // a first password belongs to nobody's records
    if let Some(kept) = fields.take("links").and_then(field::other_links) {
        fact.extra.insert("links".to_owned(), kept);
    }
    let profile_only = kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("customer"))
        || (kind.is_none()
            && row.get_any_case("companyProfile").is_none()
            && row.get_any_case("billingProfile").is_none());
    if profile_only {
        return read_profile(row, fields, context, fact);
    }
    let company = fields.take("companyProfile");
    let billing = fields.take("billingProfile");
    let tenant_text = company.and_then(|company| Fields::of(company).filled("tenantId"));
    let id_text = fields.filled("id").or(tenant_text).or_else(|| named(context));
    fact.id = identify(id_text.as_deref(), &mut fact.extra).or(own_links(row)).ok_or_else(|| missing_id("customer"))?;
    for (name, profile) in [("companyProfile", company), ("billingProfile", billing)] {
        let Some(profile) = profile else { continue };
        fact.extra.insert(name.to_owned(), without_own_links(profile).to_string());
        let mut inner = Fields::of(profile);
        fact.company_name = fact.company_name.or(inner.filled("companyName"));
        fact.domain = fact.domain.or(inner.filled("domain"));
    }
    let address = |profile: Option<&Value>, name: &str| {
        let address = profile?.get_any_case(name)?.clone();
        country(&mut Fields::of(&address))
    };
    fact.country = address(billing, "defaultAddress").or_else(|| address(company, "address")).or(country(fields));
    fact.company_name = fact.company_name.or(fields.filled("companyName"));
    fact.domain = fact.domain.or(fields.filled("domain"));
    fact.opened_at = fields.instant("openedAt");
    fact.first_billing_at = fields.instant("firstBillingAt").or_else(|| fields.instant("firstBillingPeriodStartDate"));
    fact.qualification = qualification(row, fields);
    fact.agreed_at = fields.instant("agreedAt").or_else(|| agreement(fields.take("agreements")?));
    fact.account = fields.take("account").map(account);
    fact.labels = fields.labels();
    Ok(fact)
}

/// What is told of a customer that is to be taken on; without an id of its own it gets the fresh one.
///
/// # Errors
/// `schema` for what is no object.
pub fn wished(body: &Value, fresh: TenantId) -> Result<CustomerFact, Refusal> {
    if body.members().is_none() {
        return Err(Refusal::new("schema", "the body is an object with companyProfile and billingProfile"));
    }
    let mut fields = Fields::of(body);
    let context = Context::of(fresh);
    let mut fact = read(body, &mut fields, &context)?;
    let (rest, _notes) = fields.rest();
    fact.extra.extend(rest);
    Ok(fact)
}

/// `qualification: "Education"`, or the first of Partner Center's `qualifications`, which stay as they came.
fn qualification(row: &Value, fields: &mut Fields<'_>) -> Option<String> {
    let listed = row.get_any_case("qualifications").and_then(Value::as_array).and_then(|list| list.first());
    let first = listed.and_then(|one| one.get_any_case("qualification").unwrap_or(one).as_str()).map(field::snake);
    fields.word("qualification", &[]).or(first).map(|word| if word == "none" { String::new() } else { word })
}

/// When the Microsoft Customer Agreement was accepted, among a customer's agreements.
fn agreement(agreements: &Value) -> Option<Instant> {
    let ours = |one: &&Value| one.get_any_case("type").and_then(Value::as_str).is_none_or(is_customer_agreement);
    let dated = |one: &Value| field::date(one.get_any_case("dateAgreed")?.as_str()?)?.at();
    agreements.as_array()?.iter().filter(ours).find_map(dated)
}

/// Whether an agreement of this type is the Microsoft Customer Agreement.
pub fn is_customer_agreement(kind: &str) -> bool {
    field::snake(kind).replace('_', "") == "microsoftcustomeragreement"
}

fn account(value: &Value) -> Account {
    let owed = value.get_any_case("overdue").and_then(Value::as_array).unwrap_or_default();
    let since = value.get_any_case("since").and_then(|since| field::date(since.as_str()?)?.at());
    Account { overdue: owed.iter().filter_map(field::money).collect(), since }
}

fn read_profile(
    row: &Value,
    fields: &mut Fields<'_>,
    context: &Context,
    mut fact: CustomerFact,
) -> Result<CustomerFact, Refusal> {
    let is_company = row.get_any_case("tenantId").is_some();
    let id_text = fields.filled("tenantId");
    if !is_company {
        fields.take("id"); // the billing profile's own, not the customer's
    }
    let linked = own_links(row).or(context.tenant);
    fact.id = identify(id_text.as_deref(), &mut fact.extra).or(linked).ok_or_else(|| missing_id("customer"))?;
    fact.company_name = fields.filled("companyName");
    fact.domain = fields.filled("domain");
    let name = if is_company { "address" } else { "defaultAddress" };
    fact.country = row.get_any_case(name).and_then(|address| country(&mut Fields::of(address)));
    let _kept_below = fields.take(name);
    let profile = if is_company { "companyProfile" } else { "billingProfile" };
    fact.extra.insert(profile.to_owned(), without_own_links(row).to_string());
    for (known, _) in row.members().unwrap_or_default() {
        fields.take(known);
    }
    Ok(fact)
}

fn country(fields: &mut Fields<'_>) -> Option<String> {
    fields.filled("country").map(|text| text.to_ascii_uppercase())
}

fn own_links(row: &Value) -> Option<TenantId> {
    field::tenant_of_links(row)
}

fn named(context: &Context) -> Option<String> {
    context.tenant.map(|tenant| tenant.to_string())
}

fn identify(text: Option<&str>, extra: &mut BTreeMap<String, String>) -> Option<TenantId> {
    let text = text?;
    if text.parse::<TenantId>().is_err() {
        extra.insert("id".to_owned(), Value::String(text.to_owned()).to_string());
    }
    Some(field::tenant(text))
}

/// The profile without what is written anew each time.
fn without_own_links(profile: &Value) -> Value {
    let members = profile.members().unwrap_or_default().iter();
    let is_ours = |name: &str| ["links", "attributes"].iter().any(|known| name.eq_ignore_ascii_case(known));
    let kept = members.filter(|(name, value)| !is_ours(name) && !value.is_null());
    field::camel_all(&Value::Object(kept.cloned().collect()))
}

/// What a tenant becomes if the fact is so.
pub fn merge(existing: Option<&Tenant>, fact: &CustomerFact, import: &Import) -> Merged<Tenant> {
    let fresh = existing.is_none();
    let blank = || Tenant { id: fact.id, labels: fact.labels.clone(), ..Tenant::default() };
    let mut tenant = existing.cloned().unwrap_or_else(blank);
    let mut diff = Diff::of(import, fresh);
    diff.set("companyName", &mut tenant.company_name, fact.company_name.clone());
    diff.set("domain", &mut tenant.domain, fact.domain.clone());
    diff.set("country", &mut tenant.country, fact.country.clone());
    diff.set("account", &mut tenant.account, fact.account.clone());
    diff.set("openedAt", &mut tenant.opened_at, fact.opened_at.map(Some));
    diff.set("firstBillingAt", &mut tenant.first_billing_at, fact.first_billing_at.map(Some));
    diff.set("qualification", &mut tenant.qualification, fact.qualification.clone());
    diff.set("agreements", &mut tenant.agreed_at, fact.agreed_at.map(Some));
    diff.extras(&mut tenant.extra, &fact.extra);
    tenant.generation += u64::from(diff.moved());
    diff.merged(tenant)
}

/// The company profile of a customer.
pub fn company_profile(tenant: &Tenant) -> Value {
    let mut out = Out::over(field::kept(&tenant.extra, "companyProfile"));
    out.text("tenantId", &tenant.id.to_string());
    out.filled("domain", &tenant.domain);
    out.filled("companyName", &tenant.company_name);
    profile_link(&mut out, tenant, "company");
    out.value("attributes", write::attributes("CustomerCompanyProfile", None));
    out.finish()
}

/// The billing profile of a customer. Its id is the one it came with, or follows from the customer's.
pub fn billing_profile(tenant: &Tenant) -> Value {
    let mut out = Out::over(field::kept(&tenant.extra, "billingProfile"));
    if out.kept("id").is_none() {
        out.text("id", &Guid::derive(format!("billing profile:{}", tenant.id).as_bytes()).to_string());
    }
    out.filled("companyName", &tenant.company_name);
    let mut address = Out::over(out.kept("defaultAddress"));
    address.filled("country", &tenant.country);
    out.value("defaultAddress", address.finish());
    profile_link(&mut out, tenant, "billing");
    out.value("attributes", write::attributes("CustomerBillingProfile", Some(tenant.generation)));
    out.finish()
}

fn profile_link(out: &mut Out, tenant: &Tenant, which: &str) {
    let own = write::link(&format!("/customers/{}/profiles/{which}", tenant.id), "GET");
    out.value("links", Value::Object(vec![("self".to_owned(), own)]));
}

/// What a client narrows customers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Customers whose company name begins with this, in any letter case.
    CompanyName(String),
    /// Customers whose domain does.
    Domain(String),
}

impl Filter {
    /// Whether a customer is among those that are meant.
    pub fn holds(&self, tenant: &Tenant) -> bool {
        let (text, start) = match self {
            Filter::CompanyName(start) => (&tenant.company_name, start),
            Filter::Domain(start) => (&tenant.domain, start),
        };
        text.to_lowercase().starts_with(start)
    }
}

/// Reads a filter: `{"Field":"CompanyName","Value":"cont","Operator":"starts_with"}`.
///
/// # Errors
/// `bad_filter`, saying which fields go with which operators.
pub fn filter(text: &str) -> Result<Filter, Refusal> {
    let bad = |what: &str| {
        Refusal::new("bad_filter", format!("{what}; there are CompanyName and Domain, both with starts_with"))
    };
    let read = json::parse(text.as_bytes()).map_err(|_| bad("the filter is no JSON object"))?;
    let member = |name: &str| read.get_any_case(name).and_then(Value::as_str).map(str::trim);
    let (Some(name), Some(value), Some(operator)) = (member("Field"), member("Value"), member("Operator")) else {
        return Err(bad("a filter has Field, Value and Operator"));
    };
    if field::snake(operator) != "starts_with" {
        return Err(bad("this field does not go with this operator"));
    }
    match field::snake(name).as_str() {
        "company_name" => Ok(Filter::CompanyName(value.to_lowercase())),
        "domain" => Ok(Filter::Domain(value.to_lowercase())),
        _ => Err(bad("there is no such field")),
    }
}

/// A customer as Partner Center shows it, with our labels and account beside.
pub fn customer(tenant: &Tenant) -> Value {
    let id = tenant.id.to_string();
    let mut out = Out::new();
    out.text("id", &id);
    out.value("companyProfile", company_profile(tenant));
    out.value("billingProfile", billing_profile(tenant));
    if !tenant.extra.contains_key("relationshipToPartner") {
        out.text("relationshipToPartner", "reseller");
    }
    out.instant("openedAt", tenant.opened_at);
    out.instant("firstBillingAt", tenant.first_billing_at);
    out.filled("qualification", &tenant.qualification);
    if tenant.agreed_at.is_some() {
        out.value("agreements", Value::Array(vec![customer_agreement(tenant)]));
    }
    out.labels(&tenant.labels);
    let mut account = Out::new();
    account.value("overdue", Value::Array(tenant.account.overdue.iter().map(|owed| write::money(*owed)).collect()));
    account.instant("since", tenant.account.since);
    out.value("account", account.finish());
    out.extras(&tenant.extra, &["id", "companyProfile", "billingProfile"]);
    out.links(&tenant.extra, &format!("/customers/{id}"));
    out.value("attributes", write::attributes("Customer", Some(tenant.generation)));
    out.finish()
}

/// The Microsoft Customer Agreement of a customer, as Partner Center shows it.
pub fn customer_agreement(tenant: &Tenant) -> Value {
    let mut out = Out::new();
    out.text("type", "MicrosoftCustomerAgreement");
    out.instant("dateAgreed", tenant.agreed_at);
    out.value("attributes", write::attributes("Agreement", None));
    out.finish()
}
