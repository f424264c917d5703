//! Listening, the routes, and the end.

use std::io::{ErrorKind, Write};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};
use tokio::net::{TcpListener, TcpSocket};
use tower_http::catch_panic::CatchPanicLayer;

use crate::failure::Failure;
use crate::guard::{self, Guard};
use crate::studio::Studio;
use crate::{api, page};

/// Longest JSON: a recipe with the latents of a hundred pictures of a large model.
const JSON_BYTES: usize = 16 << 20;

/// How long jobs have to end when the program is asked to.
const GRACE: Duration = Duration::from_secs(3);

/// Listens at 127.0.0.1 until Ctrl-C or a signal ends the program; the address is the first line of the output.
pub fn serve(studio: Studio, port: u16, open: bool) -> Result<(), examples::Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let studio = Arc::new(studio);
    let served = runtime.block_on(async {
        let listener = listen(port)?;
        let port = listener.local_addr()?.port();
        let address = format!("http://127.0.0.1:{port}/");
        let mut output = std::io::stdout();
        // Whoever started the program may not read its output; the page is there all the same.
        let _ = writeln!(output, "{address}").and_then(|()| output.flush());
        if open {
            open_browser(&address);
        }
        let app = router(Arc::clone(&studio), port);
        tokio::select! {
            served = axum::serve(listener, app) => served.map_err(examples::Failure::from),
            ended = ended() => ended.map_err(examples::Failure::from),
        }
    });
    studio.jobs.cancel_all();
    runtime.shutdown_timeout(GRACE);
    served
}

/// Ctrl-C, or the signal that ends a process.
async fn ended() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminated.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await
    }
}

/// Connections that wait until they are accepted: more than requests that may wait, so that those are told so.
const BACKLOG: u32 = 4096;

/// Listens at a port of 127.0.0.1.
pub fn listen(port: u16) -> Result<TcpListener, examples::Failure> {
    let listening = TcpSocket::new_v4().and_then(|socket| {
        // As the standard library does: on Windows it would let another program listen too.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
        socket.listen(BACKLOG)
    });
    listening.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            format!("--port {port}: another program listens there; use --port 0 for a free one")
                .into()
        }
        _ => format!("--port {port}: {error}").into(),
    })
}

/// All routes, for a server at this port.
pub fn router(studio: Arc<Studio>, port: u16) -> Router {
    let api = Router::new()
        .route("/status", get(api::status::status))
        .route("/models", get(api::models::list))
        .route(
            "/models/dropped/{file}",
            post(api::models::add).layer(DefaultBodyLimit::disable()),
        )
        .route("/models/{id}", get(api::models::describe))
        .route("/models/{id}/samples", get(api::models::samples))
        .route(
            "/images",
            post(api::images::add).layer(DefaultBodyLimit::max(studio_interface::IMAGE_BYTES)),
        )
        .route("/images/{id}", get(api::images::get))
        .route(
            "/tuned",
            post(api::tuned::add).layer(DefaultBodyLimit::max(studio_interface::TUNED_BYTES)),
        )
        .route("/tuned/{id}", get(api::tuned::get))
        .route("/picture", post(api::pictures::picture))
        .route("/latents", post(api::pictures::latents))
        .route("/animation", post(api::pictures::animation))
        .route("/search", post(api::search::search))
        .route("/typicality", post(api::search::typicality))
        .route("/invert", post(api::inversion::invert))
        .route("/drag", post(api::dragging::drag))
        .route("/jobs/{id}", delete(api::jobs::cancel))
        .fallback(|| async { Failure::not_found("no such address in this interface") })
        .method_not_allowed_fallback(|| async {
            Failure::with_status(
                StatusCode::METHOD_NOT_ALLOWED,
                "this address has other methods",
            )
        })
        .layer(DefaultBodyLimit::max(JSON_BYTES));
    Router::new()
        .nest("/api", api)
        .fallback(page::file)
        .layer(CatchPanicLayer::custom(|_| {
            axum::response::IntoResponse::into_response(Failure::panicked())
        }))
        .layer(from_fn_with_state(Guard::new(port), guard::check))
        .with_state(studio)
}

fn open_browser(address: &str) {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let started = Command::new(program)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let told = move || {
        eprintln!("no browser could be started with {program}; open the address yourself");
    };
    match started {
        // It may run as long as the browser does.
        Ok(mut started) => {
            std::thread::spawn(move || match started.wait() {
                Ok(ended) if ended.success() || cfg!(windows) => {}
                _ => told(),
            });
        }
        Err(_) => told(),
    }
}
