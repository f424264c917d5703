use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde_json::json;

use super::client::{Request, chunk, events, head};
use super::running::{Running, of_seed, weights};
use crate::lanes::Lane;

#[test]
fn foreign_hosts_and_origins_are_refused() {
    let server = Running::start();
    let port = server.port;
    let own = format!("http://127.0.0.1:{port}");
    let allowed = Request::json("/api/picture", &of_seed("micah", 0)).header("origin", &own);
    assert_eq!(allowed.send(port).status, 200);
    for host in [
        "example.com",
        "127.0.0.1",
        "127.0.0.1.example.com",
        "127.0.0.1:1",
    ] {
        for path in ["/", "/api/models"] {
            assert_eq!(
                Request::get(path).host(host).send(port).status,
                403,
                "{host}"
            );
        }
    }
    for origin in [
        "http://example.com",
        "null",
        "https://127.0.0.1",
        "http://127.0.0.1:1",
        &format!("https://127.0.0.1:{port}"),
    ] {
        let answer = Request::json("/api/picture", &of_seed("micah", 0))
            .header("origin", origin)
            .send(port);
        assert_eq!(answer.status, 403, "{origin}");
        let image = Request::post("/api/images", "x")
            .header("origin", origin)
            .send(port);
        assert_eq!(image.status, 403, "{origin}");
    }
    // A picture in another site's page: no origin is sent with it.
    let embedded = Request::get("/api/models/micah/samples").header("sec-fetch-site", "cross-site");
    assert_eq!(embedded.send(port).status, 403);
    // A form of another site, in a browser that sends nothing of where it comes from.
    let form = Request::post("/api/picture", of_seed("micah", 0).to_string())
        .header("content-type", "text/plain");
    assert_eq!(form.send(port).status, 415);
}

#[test]
fn no_request_leads_out_of_the_folders() {
    let server = Running::start();
    // Files that would be taken if a name could lead to them.
    let good = std::fs::read(weights().join("zoo/micah/generator.safetensors")).unwrap();
    let outside = server.own.path().parent().unwrap();
    let outside = tempfile::Builder::new()
        .suffix(".safetensors")
        .tempfile_in(outside)
        .unwrap();
    std::fs::write(outside.path(), &good).unwrap();
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    for path in [
        "/../Cargo.toml",
        "/..%2fCargo.toml",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/browser/server.js",
        "/api/models/..%2f..%2fCargo.toml",
        &format!("/api/models/own:..%2f{name}"),
        &format!("/api/models/own:..%2f{name}/samples"),
        "/api/models/%2fetc%2fpasswd",
        "/api/images/..%2f..%2fetc%2fpasswd",
        "/api/tuned/..%2f..%2fetc%2fpasswd",
        "/api/tuned/%2fetc%2fpasswd",
    ] {
        let answer = Request::get(path).send(server.port);
        assert!(
            [400, 404].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
    }
    for id in [
        "../../Cargo.toml",
        "/etc/passwd",
        &format!("own:../{name}"),
        "own:",
        "dropped:/etc/passwd",
    ] {
        let answer = Request::json("/api/picture", &of_seed(id, 0)).send(server.port);
        assert_eq!(answer.status, 404, "{id}");
    }
    for name in [
        "..%2fevil.safetensors",
        "evil.sh",
        "..",
        "%00.safetensors",
        ".safetensors%2f..",
    ] {
        let request = Request::post(&format!("/api/models/dropped/{name}"), good.clone());
        let answer = request.send(server.port);
        assert!(
            [400, 404].contains(&answer.status),
            "{name}: {}",
            answer.status
        );
    }
    let left: Vec<_> = std::fs::read_dir(server.studio.interface.uploads.models())
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let models = server.studio.interface.uploads.models();
    let above = models.parent().unwrap();
    assert!(!above.join("evil.safetensors").exists());
}

#[test]
fn one_has_its_turn_at_a_time() {
    let lane = Lane::new(1);
    let (first, second) = (lane.enter().unwrap(), lane.enter().unwrap());
    assert!(lane.enter().is_err());
    let turn = first.turn().now_or_never().unwrap();
    assert!(second.turn().now_or_never().is_none());
    drop(turn);
    assert!(second.turn().now_or_never().is_some());
}

#[test]
fn bodies_that_are_too_large_are_refused() {
    let server = Running::start();
    let body = vec![b' '; 100 << 20];
    for path in [
        "/api/images",
        "/api/tuned",
        "/api/picture",
        "/api/search",
        "/api/invert",
    ] {
        let request = Request::post(path, body.clone()).header("content-type", "application/json");
        assert_eq!(request.send(server.port).status, 413, "{path}");
    }
    // A picture whose header promises 100,000 x 100,000 pixels.
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend([0, 1, 134, 160, 0, 1, 134, 160, 8, 2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(
        Request::post("/api/images", png).send(server.port).status,
        400
    );
    assert_eq!(Request::get("/api/status").send(server.port).status, 200);
}

#[test]
fn a_thousand_requests_at_once_are_all_answered() {
    let server = Running::start();
    let port = server.port;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..1000)
            .map(|seed| {
                scope.spawn(move || {
                    Request::json("/api/picture", &of_seed("micah", seed))
                        .send(port)
                        .status
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let made = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!(made + refused, 1000);
    assert!(made >= 500, "{made} pictures of 1000");
    server.idle();
    assert_eq!(
        Request::json("/api/picture", &of_seed("micah", 1))
            .send(port)
            .status,
        200
    );
}

#[test]
fn jobs_beyond_the_queue_are_sent_away() {
    let server = Running::start();
    let image = server.image("micah/2.png");
    let wanted = json!({ "image": image, "models": ["micah"], "settings": { "steps": 2000 } });
    let request = Request::json("/api/invert", &wanted);
    let mut waiting: Vec<_> = (0..17).map(|_| request.start(server.port)).collect();
    for reader in &mut waiting {
        assert_eq!(head(reader).0, 200);
    }
    let one_more = request.send(server.port);
    assert_eq!(
        (one_more.status, one_more.header("retry-after")),
        (503, "1")
    );
    // Pictures do not wait for them.
    let started = Instant::now();
    assert_eq!(
        Request::json("/api/picture", &of_seed("micah", 1))
            .send(server.port)
            .status,
        200
    );
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(waiting);
    server.idle();
}

#[test]
fn a_client_that_goes_away_ends_its_inversion() {
    let server = Running::start();
    let image = server.image("micah/2.png");
    let wanted = json!({ "image": image, "models": ["micah"], "settings": { "steps": 20_000 } });
    let mut reader = Request::json("/api/invert", &wanted).start(server.port);
    head(&mut reader);
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("event: numbers") {
        read.extend(chunk(&mut reader).unwrap());
    }
    assert_eq!(server.studio.work.inside(), 1);
    drop(reader);
    // 20,000 steps take more than a minute.
    assert!(server.idle() < Duration::from_secs(20));
}

#[test]
fn a_cancelled_inversion_gives_what_it_has() {
    let server = Running::start();
    let image = server.image("micah/2.png");
    let wanted =
        json!({ "image": image, "models": ["micah", "lorelei"], "settings": { "steps": 20_000 } });
    let mut reader = Request::json("/api/invert", &wanted).start(server.port);
    head(&mut reader);
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("event: numbers") {
        read.extend(chunk(&mut reader).unwrap());
    }
    let id = events(&read)[0].1["id"].as_str().unwrap().to_owned();
    let cancelled = Request::new("DELETE", &format!("/api/jobs/{id}")).send(server.port);
    assert_eq!(cancelled.status, 202);
    while let Some(chunk) = chunk(&mut reader) {
        read.extend(chunk);
    }
    let (name, result) = events(&read).pop().unwrap();
    assert_eq!(name, "done");
    assert_eq!(
        (&result["cancelled"], &result["results"][0]["stop"]),
        (&json!(true), &json!("cancelled"))
    );
    assert_eq!(result["results"].as_array().unwrap().len(), 1);
    // A stop that comes too late is no mistake of who asks. The server may be tidying up after the last event.
    let late = || Request::new("DELETE", &format!("/api/jobs/{id}")).send(server.port);
    let asked = Instant::now();
    while late().status == 202 && asked.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(late().status, 204);
}

#[test]
fn a_panic_ends_its_own_job_only() {
    let server = Running::start();
    let studio = std::sync::Arc::clone(&server.studio);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let failed =
        runtime.block_on(studio.soon(|_| -> Result<(), _> { panic!("a bug in a picture") }));
    assert!(failed.unwrap_err().message.contains("terminal"));
    let studio = std::sync::Arc::clone(&server.studio);
    runtime.block_on(async {
        let stream = crate::events::run(studio, |_, _| panic!("a bug in a job")).unwrap();
        let body = axum::response::IntoResponse::into_response(stream).into_body();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        assert_eq!(events(&bytes).last().unwrap().0, "failed");
    });
    server.idle();
    assert_eq!(
        Request::json("/api/picture", &of_seed("micah", 1))
            .send(server.port)
            .status,
        200
    );
}
