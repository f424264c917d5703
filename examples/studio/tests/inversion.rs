use ganymede::image_tensor::{DecodeLimits, RgbImage, decode_bytes};
use ganymede::invert::Settings;
use ganymede::stylegan2::LatentFile;
use serde_json::{Value, json};

use super::client::{Request, chunk, events, head};
use super::running::{Running, of_seed};

fn picture(server: &Running, recipe: &Value) -> RgbImage {
    let answer = Request::json("/api/picture", recipe).send(server.port);
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{text}");
    decode_bytes("picture", &answer.body, &DecodeLimits::default()).unwrap()
}

/// Events of an inversion until its end.
fn inverted(server: &Running, wanted: &Value) -> Vec<(String, Value)> {
    let answer = Request::json("/api/invert", wanted).send(server.port);
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{text}");
    events(&answer.body)
}

/// Asks for an inversion, waits until its events have this text, and ends it; its last event.
fn ended_at(server: &Running, wanted: &Value, text: &str) -> (String, Value) {
    let mut reader = Request::json("/api/invert", wanted).start(server.port);
    head(&mut reader);
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(text) {
        read.extend(chunk(&mut reader).unwrap());
    }
    let id = events(&read)[0].1["id"].as_str().unwrap().to_owned();
    Request::new("DELETE", &format!("/api/jobs/{id}")).send(server.port);
    while let Some(chunk) = chunk(&mut reader) {
        read.extend(chunk);
    }
    events(&read).pop().unwrap()
}

#[test]
fn a_refined_inversion_stays_refined_wherever_it_goes() {
    let server = Running::start();
    let settings = json!({ "steps": 20, "refine": true, "refine_steps": 20 });
    let wanted =
        json!({ "image": server.image("micah/2.png"), "models": ["micah"], "settings": settings });
    let events = inverted(&server, &wanted);
    // Each phase tells its length, its losses and pictures.
    let mut phases = Vec::new();
    for (name, data) in &events {
        match name.as_str() {
            "phase" => phases.push((data["name"].as_str().unwrap().to_owned(), 0, 0)),
            // Before the first step random latents are compared, which has no losses.
            "numbers" if data["values"].get("starts compared").is_some() => {}
            "numbers" => phases.last_mut().unwrap().1 += 1,
            "preview" => phases.last_mut().unwrap().2 += 1,
            _ => {}
        }
    }
    let [(_, latents, _), (name, refinements, previews)] = &phases[..] else {
        panic!("{phases:?}");
    };
    assert!(name.ends_with("refined"), "{name}");
    assert_eq!((*latents, *refinements), (20, 20));
    assert!(*previews > 0);
    let losses = |data: &Value| data["values"]["loss"].as_f64();
    let numbers = events.iter().filter(|(name, _)| name == "numbers");
    assert_eq!(numbers.filter_map(|(_, data)| losses(data)).count(), 40);

    let found = &events.last().unwrap().1["results"][0];
    let latent = &found["latent"];
    let plain = json!({ "w_plus": latent["refined"]["w_plus"] });
    let recipe = |latent: &Value, strength: f64| {
        let edits = json!([{ "component": 0, "layers": "0-9", "strength": strength }]);
        json!({ "model": "micah", "latent": latent, "edits": edits })
    };
    let unedited = picture(&server, &recipe(latent, 0.0));
    assert_ne!(unedited, picture(&server, &recipe(&plain, 0.0)));
    let edited = picture(&server, &recipe(latent, 2.0));
    assert_ne!(edited, unedited);
    assert_ne!(edited, picture(&server, &recipe(&plain, 2.0)));

    // Its file has the edited latents and the offset.
    let file = tempfile::Builder::new()
        .suffix(".safetensors")
        .tempfile()
        .unwrap();
    let model = server.studio.interface.context.model("micah").unwrap();
    let synthesis = &model.generator.synthesis;
    let latents = Request::json("/api/latents", &recipe(latent, 2.0)).send(server.port);
    std::fs::write(file.path(), &latents.body).unwrap();
    let read = LatentFile::read(file.path(), synthesis.num_ws(), synthesis.w_dim()).unwrap();
    assert_eq!(read.offset.unwrap().resolution, 16);

    // A way begins at the refined picture.
    let points = json!([{ "latent": latent }, { "latent": { "seed": { "seed": 1 } } }]);
    let course = json!({ "course": { "points": points, "time": 0.0 } });
    assert_eq!(picture(&server, &recipe(&course, 0.0)), unedited);

    // Points cannot drag it, and it says so.
    let handles = json!([{ "from": [30, 24], "to": [30, 34] }]);
    let drag = json!({ "picture": recipe(latent, 0.0), "handles": handles, "steps": 1 });
    let answer = Request::json("/api/drag", &drag).send(server.port);
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.contains("refined latent cannot be dragged"), "{text}");
}

#[test]
fn what_is_ended_while_it_is_refined_is_kept() {
    let server = Running::start();
    let settings = json!({ "steps": 5, "refine": true, "refine_steps": 20_000 });
    let wanted =
        json!({ "image": server.image("micah/2.png"), "models": ["micah"], "settings": settings });
    let (name, result) = ended_at(&server, &wanted, ", refined\"}");
    assert_eq!(
        (name.as_str(), &result["cancelled"]),
        ("done", &json!(true))
    );
    assert!(result["results"][0]["latent"]["refined"].is_object());
    server.idle();
}

#[test]
fn a_start_that_is_ended_while_it_is_learned_is_no_failure() {
    let server = Running::start();
    let wanted = json!({
        "image": server.image("micah/2.png"), "models": ["own:mine.safetensors"],
        "settings": { "start": "regressed" }
    });
    let (name, result) = ended_at(&server, &wanted, "event: position");
    assert_eq!(
        (name.as_str(), &result["results"], &result["cancelled"]),
        ("done", &json!([]), &json!(true))
    );
}

#[test]
fn files_beside_models_are_no_models() {
    let server = Running::start();
    let own = server.own.path();
    std::fs::write(own.join("start-0a1b.regression.safetensors"), b"kept").unwrap();
    let list = Request::get("/api/models").send(server.port).json();
    let own = list["models"].as_array().unwrap().iter();
    let own: Vec<_> = own.filter(|model| model["origin"] == "own").collect();
    assert_eq!(own.len(), 1, "{own:?}");
}

#[test]
fn a_tuned_model_serves_recipes_by_its_id() {
    let server = Running::start();
    let wanted = json!({
        "image": server.image("micah/2.png"), "models": ["micah"],
        "settings": { "steps": 5, "prior": true }, "tune": true, "tune_steps": 8
    });
    let events = inverted(&server, &wanted);
    let previews = events
        .iter()
        .skip_while(|(name, data)| name != "phase" || data["name"] != "tuning");
    assert!(previews.filter(|(name, _)| name == "preview").count() > 0);
    let found = &events.last().unwrap().1["results"][0];
    let id = found["tuned"].as_str().unwrap();
    assert!(found["moved"].as_f64().unwrap() >= 0.0);
    let file = Request::get(&format!("/api/tuned/{id}")).send(server.port);
    assert_eq!(file.status, 200);
    assert!(file.body.len() <= 100_000);

    let plain = json!({ "model": "micah", "latent": found["latent"] });
    let mut tuned = plain.clone();
    tuned["tuned"] = json!(id);
    assert_ne!(picture(&server, &tuned), picture(&server, &plain));
    // Another program that is given the file knows it by the same id.
    let other = Running::start();
    let unknown = Request::json("/api/picture", &tuned).send(other.port);
    assert_eq!(unknown.status, 404);
    let added = Request::post("/api/tuned", file.body)
        .send(other.port)
        .json();
    assert_eq!(added["id"], id);
    assert_eq!(picture(&other, &tuned), picture(&server, &tuned));

    let mut foreign = of_seed("lorelei", 1);
    foreign["tuned"] = json!(id);
    let answer = Request::json("/api/picture", &foreign).send(server.port);
    assert_eq!(answer.status, 400);
    assert!(
        answer.error().contains("another generator"),
        "{}",
        answer.error()
    );
    let model = std::fs::read(server.own.path().join("mine.safetensors")).unwrap();
    for no_change in [b"nonsense".to_vec(), model] {
        let answer = Request::post("/api/tuned", no_change).send(server.port);
        assert_eq!(answer.status, 400);
        assert!(
            answer.error().starts_with("the change"),
            "{}",
            answer.error()
        );
    }
    // An id is looked for in a list, and no path.
    let mut outside = plain;
    outside["tuned"] = json!(server.own.path().join("mine.safetensors"));
    for path in ["/api/picture", "/api/latents"] {
        assert_eq!(Request::json(path, &outside).send(server.port).status, 404);
    }
}

#[test]
fn options_that_cannot_be_are_told_before_the_job() {
    let server = Running::start();
    let image = server.image("micah/2.png");
    let refused = |body: Value| {
        let mut wanted = json!({ "image": image, "models": ["micah"] });
        wanted
            .as_object_mut()
            .unwrap()
            .extend(body.as_object().unwrap().clone());
        let answer = Request::json("/api/invert", &wanted).send(server.port);
        assert_eq!(answer.status, 400, "{body}");
        answer.error()
    };
    let settings = |settings: Value| refused(json!({ "settings": settings }));
    assert!(
        settings(json!({ "refine": true, "refine_steps": 1_000_000 })).contains("refine_steps")
    );
    assert!(settings(json!({ "start_samples": 1_000_000 })).contains("start_samples"));
    assert!(settings(json!({ "noise": "optimized" })).contains("noise"));
    assert!(settings(json!({ "lambda_offset": -1.0 })).contains("offset"));
    assert!(refused(json!({ "tune": true, "tune_steps": 1_000_000 })).contains("tune_steps"));
    assert!(refused(json!({ "tune": true, "tune_learning_rate": -1.0 })).contains("learning"));
}

#[test]
fn the_page_is_told_how_inversions_usually_go() {
    let server = Running::start();
    let status = Request::get("/api/status").send(server.port).json();
    let told: Settings = serde_json::from_value(status["inversion"]["settings"].clone()).unwrap();
    assert_eq!(told, Settings::default());
    assert_eq!(status["inversion"]["tune"], json!(false));
    // Numbers as people write them: they stand in fields of the page.
    assert_eq!(status["inversion"]["lambda_locality"].to_string(), "0.25");
}
