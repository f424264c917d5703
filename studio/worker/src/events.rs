use js_sys::Function;
use serde_json::Value;
use studio_interface::Listener;
use wasm_bindgen::JsValue;

/// Hands events on to JavaScript.
pub(crate) struct Events {
    tell: Function,
    cancelled: Function,
}

impl Events {
    pub(crate) fn new(tell: Function, cancelled: Function) -> Self {
        Self { tell, cancelled }
    }
}

impl Listener for Events {
    fn tell(&mut self, name: &str, data: &Value) {
        // Who cannot hear is not a reason to end.
        let _ = self.tell.call2(
            &JsValue::UNDEFINED,
            &JsValue::from_str(name),
            &JsValue::from_str(&data.to_string()),
        );
    }

    fn cancelled(&self) -> bool {
        let answer = self.cancelled.call0(&JsValue::UNDEFINED);
        answer.is_ok_and(|answer| answer.is_truthy())
    }
}
