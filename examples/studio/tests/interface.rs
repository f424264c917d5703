use ganymede::ganspace::EditBook;
use ganymede::image_tensor::{DecodeLimits, decode_bytes};
use ganymede::invert::Settings;
use ganymede::stylegan2::LatentFile;
use serde_json::{Value, json};

use super::client::{Request, events};
use super::running::{Running, of_seed, weights};

#[test]
fn the_page_and_its_files_are_there() {
    let server = Running::start();
    let page = Request::get("/").send(server.port);
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let text = String::from_utf8(page.body.clone()).unwrap();
    let references = text
        .split('"')
        .filter(|part| part.ends_with(".js") || part.ends_with(".css"));
    let mut found = 0;
    for file in references {
        let file = format!("/{}", file.trim_start_matches("./"));
        assert_eq!(Request::get(&file).send(server.port).status, 200, "{file}");
        found += 1;
    }
    assert!(found >= 2);
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    assert_eq!(Request::get("/api/nonsense").send(server.port).status, 404);
    assert_eq!(Request::get("/nonsense.js").send(server.port).status, 404);
}

#[test]
fn models_of_the_zoo_and_ones_own_are_listed_and_described() {
    let server = Running::start();
    let list = Request::get("/api/models").send(server.port).json();
    let models = list["models"].as_array().unwrap();
    let micah = models.iter().find(|model| model["id"] == "micah").unwrap();
    assert_eq!(micah["card"]["art"]["artist"], "Micah Lanier");
    let mine = models
        .iter()
        .find(|model| model["id"] == "own:mine.safetensors")
        .unwrap();
    assert_eq!(
        (&mine["origin"], &mine["card"]),
        (&json!("own"), &json!(null))
    );
    let about = Request::get("/api/models/own:mine.safetensors")
        .send(server.port)
        .json();
    assert_eq!(
        (&about["resolution"], &about["layers"]),
        (&json!(64), &json!(10))
    );
    let about = Request::get("/api/models/adventurer")
        .send(server.port)
        .json();
    assert_eq!(about["edits"][0]["name"], first_edit("adventurer"));
    assert_eq!(about["components"].as_array().unwrap().len(), 20);
    let samples = Request::get("/api/models/micah/samples").send(server.port);
    assert_eq!(samples.header("content-type"), "image/png");
}

/// The first named edit of a model of the zoo, whatever it is called since the model was trained last.
fn first_edit(model: &str) -> String {
    let file = weights().join("zoo").join(model).join("edits.toml");
    let book = EditBook::load(file).unwrap();
    book.iter().next().unwrap().0.to_owned()
}

#[test]
fn pictures_follow_their_recipe() {
    let server = Running::start();
    let picture = |body| {
        let answer = Request::json("/api/picture", &body).send(server.port);
        assert_eq!(
            answer.status,
            200,
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
        decode_bytes("picture", &answer.body, &DecodeLimits::default()).unwrap()
    };
    let plain = picture(of_seed("adventurer", 3));
    assert_eq!(plain.dimensions(), (64, 64));
    assert_ne!(plain, picture(of_seed("adventurer", 4)));
    let mut edited = of_seed("adventurer", 3);
    edited["edits"] = json!([{ "edit": first_edit("adventurer"), "strength": 3.0 }]);
    assert_ne!(plain, picture(edited.clone()));
    let mut large = of_seed("adventurer", 3);
    large["enlarged"] = json!(4);
    assert_eq!(picture(large).dimensions(), (256, 256));
    // The same model under another name.
    assert_eq!(
        picture(of_seed("micah", 3)),
        picture(of_seed("own:mine.safetensors", 3))
    );

    let latents = Request::json("/api/latents", &edited).send(server.port);
    let file = tempfile::Builder::new()
        .suffix(".safetensors")
        .tempfile()
        .unwrap();
    std::fs::write(file.path(), &latents.body).unwrap();
    let model = server.studio.interface.context.model("adventurer").unwrap();
    let synthesis = &model.generator.synthesis;
    let read = LatentFile::read(file.path(), synthesis.num_ws(), synthesis.w_dim()).unwrap();
    assert_eq!(
        (read.latents.len(), read.model.as_deref()),
        (1, Some("adventurer"))
    );
}

#[test]
fn requests_that_make_no_sense_are_told_why() {
    let server = Running::start();
    let refused = |path: &str, body| {
        let answer = Request::json(path, &body).send(server.port);
        assert!((400..500).contains(&answer.status), "{}", answer.status);
        answer.error()
    };
    assert!(refused("/api/picture", of_seed("nobody", 0)).contains("no model of this id"));
    assert!(refused("/api/picture", json!({ "model": "micah" })).contains("latent"));
    let mut picture = of_seed("micah", 0);
    picture["edits"] = json!([{ "component": 400, "layers": "0-3", "strength": 1 }]);
    assert!(refused("/api/picture", picture).contains("400"));
    assert!(refused("/api/search", json!({})).contains("images"));
    assert!(refused("/api/search", json!({ "images": ["0"] })).contains("no such image"));
    assert!(
        refused("/api/invert", json!({ "image": "0", "models": ["micah"] }))
            .contains("no such image")
    );
    let image = server.image("micah/2.png");
    let endless =
        json!({ "image": image, "models": ["micah"], "settings": { "steps": 1_000_000 } });
    assert!(refused("/api/invert", endless).contains("steps"));
    let no_image = Request::post("/api/images", "no image").send(server.port);
    assert_eq!(no_image.status, 400);
    assert_eq!(
        Request::post("/api/picture", "{}").send(server.port).status,
        415
    );
    assert_eq!(
        Request::new("DELETE", "/api/jobs/7")
            .send(server.port)
            .status,
        404
    );
}

#[test]
fn a_search_ranks_the_models_for_an_image_and_for_a_model() {
    let server = Running::start();
    let image = server.image("micah/2.png");
    let found = Request::json("/api/search", &json!({ "images": [image] }))
        .send(server.port)
        .json();
    let ranking = found["queries"][0]["ranking"].as_array().unwrap();
    assert_eq!(ranking.len() as u64, found["models"].as_u64().unwrap());
    assert_eq!(ranking[0]["model"], "micah");
    let verdict = &found["queries"][0]["fit"];
    assert_eq!(verdict["fits"], true, "{verdict}");
    assert!(verdict["typicality"].as_f64() >= ranking[0]["typicality"].as_f64());
    let fit = |score: f64| {
        let body = json!({ "model": "micah", "score": score });
        let answer = Request::json("/api/typicality", &body).send(server.port);
        let fit = answer.json();
        (fit["typicality"].as_f64().unwrap(), fit["fits"].clone())
    };
    // What the index keeps, as the search itself says it.
    let share = fit(ranking[0]["score"].as_f64().unwrap()).0;
    assert_eq!(Some(share), ranking[0]["typicality"].as_f64());
    assert_eq!(fit(-1e9), (0.0, json!(false)));
    assert_eq!(fit(1e9), (1.0, json!(true)));
    let other = server.image("micah/3.png");
    let both = Request::json("/api/search", &json!({ "images": [image, other] }))
        .send(server.port)
        .json();
    assert_eq!(both["queries"].as_array().unwrap().len(), 1);
    let like = Request::json("/api/search", &json!({ "like": "lorelei" }))
        .send(server.port)
        .json();
    assert_eq!(like["queries"][0]["ranking"][0]["model"], "lorelei");
}

#[test]
fn an_inversion_tells_how_it_goes_and_gives_latents() {
    let server = Running::start();
    let image = server.image("micah/2.png");
    let wanted =
        json!({ "image": image, "models": ["micah", "lorelei"], "settings": { "steps": 30 } });
    let answer = Request::json("/api/invert", &wanted).send(server.port);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let events = events(&answer.body);
    let named = |name: &str| events.iter().filter(|(known, _)| known == name).count();
    assert_eq!(
        (
            named("job"),
            named("started"),
            named("model"),
            named("done")
        ),
        (1, 1, 2, 1)
    );
    // Before the first step random latents are compared, which has no losses.
    let steps = || {
        let numbers = events.iter().filter(|(name, _)| name == "numbers");
        numbers.filter(|(_, data)| data["values"].get("loss").is_some())
    };
    assert_eq!(steps().count(), 60);
    assert!(named("preview") >= 2);
    let results = &events.last().unwrap().1["results"];
    assert_eq!(
        (&results[0]["id"], &results[1]["id"]),
        (&json!("micah"), &json!("lorelei"))
    );
    let first = steps().next().unwrap();
    let start = first.1["values"]["PSNR"].as_f64().unwrap();
    assert!(results[0]["psnr"].as_f64().unwrap() > start + 1.0);
    let picture = json!({ "model": "micah", "latent": results[0]["latent"] });
    assert_eq!(
        Request::json("/api/picture", &picture)
            .send(server.port)
            .status,
        200
    );
    server.idle();
}

#[test]
fn a_course_becomes_a_film_where_ffmpeg_is() {
    let server = Running::start();
    let points: Vec<_> = [1, 2]
        .iter()
        .map(|seed| json!({ "latent": { "seed": { "seed": seed } } }))
        .collect();
    let wanted = json!({
        "model": "micah", "latent": { "course": { "points": points } },
        "frames": 6, "frames_per_second": 12, "enlarged": 2, "format": "mp4"
    });
    let status = Request::get("/api/status").send(server.port).json();
    let answer = Request::json("/api/animation", &wanted).send(server.port);
    if status["mp4"] == false {
        assert_eq!(answer.status, 400);
        assert!(
            answer.error().contains("needs ffmpeg"),
            "{}",
            answer.error()
        );
        // Before anything is made.
        let mut of_nobody = wanted;
        of_nobody["model"] = "nobody".into();
        let answer = Request::json("/api/animation", &of_nobody).send(server.port);
        assert!(
            answer.error().contains("needs ffmpeg"),
            "{}",
            answer.error()
        );
        eprintln!("skipped: there is no ffmpeg here that would make an MP4");
        return;
    }
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "video/mp4")
    );
    // The box of an MP4's kind comes first, and with the index in front that of pictures last.
    assert_eq!(&answer.body[4..8], b"ftyp");
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.find("moov").unwrap() < text.find("mdat").unwrap());
}

#[test]
fn a_course_becomes_a_gif() {
    let server = Running::start();
    let points: Vec<_> = [1, 2]
        .iter()
        .map(|seed| json!({ "latent": { "seed": { "seed": seed } } }))
        .collect();
    let mut wanted = json!({
        "model": "micah", "latent": { "course": { "points": points, "easing": "cosine" } },
        "frames": 8, "frames_per_second": 10, "enlarged": 2, "format": "gif"
    });
    let answer = Request::json("/api/animation", &wanted).send(server.port);
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "image/gif")
    );
    assert!(answer.body.starts_with(b"GIF89a"));
    wanted["frames"] = json!(1_000_000);
    assert_eq!(
        Request::json("/api/animation", &wanted)
            .send(server.port)
            .status,
        400
    );
}

#[test]
fn a_dropped_checkpoint_is_loaded_or_refused() {
    let server = Running::start();
    let bytes = std::fs::read(weights().join("zoo/micah/generator.safetensors")).unwrap();
    let added = Request::post("/api/models/dropped/new.safetensors", bytes).send(server.port);
    assert_eq!(added.json()["id"], "dropped:new.safetensors");
    let picture =
        Request::json("/api/picture", &of_seed("dropped:new.safetensors", 1)).send(server.port);
    assert_eq!(picture.status, 200);
    let bad = Request::post("/api/models/dropped/bad.pkl", "cos\nsystem\n(S'true'\ntR.")
        .send(server.port);
    assert_eq!(bad.status, 400);
    assert!(bad.error().starts_with("bad.pkl"), "{}", bad.error());
    let list = Request::get("/api/models").send(server.port).json();
    let dropped = list["models"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|model| model["origin"] == "dropped");
    assert_eq!(dropped.count(), 1);
}

#[test]
fn a_drag_tells_where_its_points_are() {
    let server = Running::start();
    let wanted = json!({
        "picture": of_seed("micah", 4), "steps": 12,
        "handles": [{ "from": [30, 24], "to": [30, 40] }]
    });
    let answer = Request::json("/api/drag", &wanted).send(server.port);
    let events = events(&answer.body);
    let points: Vec<_> = events.iter().filter(|(name, _)| name == "points").collect();
    assert_eq!(
        (points.len(), &points[0].1["points"]),
        (13, &json!([[30.0, 24.0]]))
    );
    let (name, outcome) = events.last().unwrap();
    assert_eq!((name.as_str(), &outcome["steps"]), ("done", &json!(12)));
    let picture = json!({ "model": "micah", "latent": { "w_plus": outcome["w_plus"] } });
    assert_eq!(
        Request::json("/api/picture", &picture)
            .send(server.port)
            .status,
        200
    );
    let outside =
        json!({ "picture": of_seed("micah", 4), "handles": [{ "from": [99, 0], "to": [1, 1] }] });
    let answer = Request::json("/api/drag", &outside).send(server.port);
    assert!(String::from_utf8_lossy(&answer.body).contains("64x64"));
}

#[test]
fn the_description_has_every_address_and_method() {
    let server = Running::start();
    let file = weights().join("../docs/studio.openapi.json");
    let text = std::fs::read_to_string(file).unwrap();
    let description: Value = serde_json::from_str(&text).unwrap();
    let described = description["paths"].as_object().unwrap();
    for (path, methods) in described {
        let address = path.replace("{id}", "nobody").replace("{file}", "a.txt");
        let has = methods.as_object().unwrap();
        for method in ["GET", "POST", "DELETE"] {
            let answer = Request::new(method, &address).send(server.port);
            // An address that is not there says so in words of its own.
            let there = answer.status != 405
                && !String::from_utf8_lossy(&answer.body).contains("no such address");
            assert_eq!(
                there,
                has.contains_key(&method.to_ascii_lowercase()),
                "{method} {path}"
            );
        }
    }
    // Settings of inversions have the library's names and defaults, and so has what tunes the model.
    let same = |name: &str, default: &Value, described: &Value| {
        let numbers = default.as_f64().zip(described.as_f64());
        let same = default == described || numbers.is_some_and(|(a, b)| a == b);
        assert!(same, "{name}: {default}, described as {described}");
    };
    let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let settings = &description["components"]["schemas"]["InversionSettings"]["properties"];
    let mut usual = read(serde_json::to_string(&Settings::default()).unwrap());
    for (name, described) in settings.as_object().unwrap() {
        let default = usual.as_object_mut().unwrap().remove(name);
        let default = default.unwrap_or_else(|| panic!("{name} is no setting"));
        same(name, &default, &described["default"]);
    }
    assert_eq!(usual, json!({}), "settings that are not described");
    let schema =
        &described["/api/invert"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let usual = read(serde_json::to_string(&ganymede::invert::Options::default()).unwrap());
    for name in [
        "tune",
        "tune_steps",
        "tune_learning_rate",
        "lambda_locality",
    ] {
        assert!(!usual[name].is_null(), "{name} is no option");
        same(name, &usual[name], &schema["properties"][name]["default"]);
    }
    let routes = include_str!("../server.rs").matches(".route(").count();
    assert_eq!(routes, described.len(), "as many addresses as routes");
}
