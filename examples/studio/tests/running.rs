use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ganymede::{Context, Device};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Request;
use crate::server::{listen, router};
use crate::studio::Studio;

/// A server of the repository's weights and a folder of own models, at a port of its own, until it is dropped.
pub struct Running {
    pub port: u16,
    pub studio: Arc<Studio>,
    pub own: TempDir,
    _runtime: tokio::runtime::Runtime,
}

pub fn weights() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../weights")
}

impl Running {
    pub fn start() -> Self {
        let own = tempfile::tempdir().unwrap();
        std::fs::copy(
            weights().join("zoo/micah/generator.safetensors"),
            own.path().join("mine.safetensors"),
        )
        .unwrap();
        let studio = Arc::new(
            Studio::new(Context::new(Device::flex()), Some(own.path().to_owned())).unwrap(),
        );
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(async { listen(0).unwrap() });
        let port = listener.local_addr().unwrap().port();
        let app = router(Arc::clone(&studio), port);
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self {
            port,
            studio,
            own,
            _runtime: runtime,
        }
    }

    /// The id of a query image of the repository, which is given to the server.
    pub fn image(&self, path: &str) -> String {
        let bytes = std::fs::read(weights().join("queries").join(path)).unwrap();
        let answer = Request::post("/api/images", bytes).send(self.port);
        assert_eq!(answer.status, 200);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Waits until no job is left; how long that took.
    pub fn idle(&self) -> Duration {
        let started = Instant::now();
        while self.studio.work.inside() + self.studio.pictures.inside() > 0 {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "something is left running"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        started.elapsed()
    }
}

/// The recipe of a seed's picture.
pub fn of_seed(model: &str, seed: u32) -> Value {
    json!({ "model": model, "latent": { "seed": { "seed": seed } } })
}
