use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(text: &str);
}

/// Says on the console why a panic came: JavaScript only sees that the program stopped.
pub(crate) fn tell() {
    std::panic::set_hook(Box::new(|panic| console_error(&panic.to_string())));
}
