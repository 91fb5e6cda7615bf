//! Writes each report as a line of JSON to the file that `PROOF_REPORTS` names.

use std::fs::OpenOptions;
use std::io::Write as _;

use real::report::{self, Report};
use serde_json::json;

pub(crate) fn is_production_arm() -> bool {
    std::env::var_os("ASYNC_DEBUG").is_some_and(|mode| mode == "0")
}

#[ctor::ctor]
fn hook() {
    if let Some(path) = std::env::var_os("PROOF_REPORTS") {
        report::set_hook(Box::new(move |report| {
            let line = format!("{}\n", line(report));
            let file = OpenOptions::new().create(true).append(true).open(&path);
            file.and_then(|mut file| file.write_all(line.as_bytes()))
                .expect("the file of the reports can be written");
        }));
    }
}

fn line(report: &Report) -> serde_json::Value {
    json!({
        "kind": report.kind().to_string(),
        "level": report.level().to_string(),
        "site": report.site().map(|site| format!("{}:{}", site.file(), site.line())),
        "name": report.name(),
        "message": report.message(),
        "count": report.count(),
        "text": report.to_string(),
    })
}
