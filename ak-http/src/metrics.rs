//! Figures for Prometheus.

use axum::http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The figures of one application: nothing is global, so that two applications can run in one process.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    duration: Histogram,
    objects: Gauge,
    revision: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    status: u16,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("ak");
        let requests = Family::<RequestLabels, Counter>::default();
        let duration = Histogram::new(exponential_buckets(0.0005, 2.0, 14));
        let (objects, revision) = (Gauge::default(), Gauge::default());
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit("http_request_duration", "Time to answer a request", Unit::Seconds, duration.clone());
        registry.register("objects", "Objects in the snapshot", objects.clone());
        registry.register("revision", "Revision of the snapshot", revision.clone());
        Self { registry, requests, duration, objects, revision }
    }

    pub(crate) fn request(&self, method: &Method, status: u16, micros: u64) {
        // Methods are anybody's to invent; labels must stay few.
        let method = match method.as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "PUT" => "PUT",
            "PATCH" => "PATCH",
            "DELETE" => "DELETE",
            _ => "OTHER",
        };
        self.requests.get_or_create(&RequestLabels { method, status }).inc();
        self.duration.observe(std::time::Duration::from_micros(micros).as_secs_f64());
    }

    /// The figures in the OpenMetrics text form.
    pub(crate) fn text(&self, objects: usize, revision: u64) -> Result<String, std::fmt::Error> {
        self.objects.set(i64::try_from(objects).unwrap_or(i64::MAX));
        self.revision.set(i64::try_from(revision).unwrap_or(i64::MAX));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
