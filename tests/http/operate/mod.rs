//! What those who are on call do and see.

mod bypass;
mod dashboard;
mod dashboard_abuse;
mod figures;
mod stored_values;
