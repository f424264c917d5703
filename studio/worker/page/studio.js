// The engine with what it needs: a call that lacks a file of weights is made again when the file is there.

export class Studio {
  #engine;
  #store;
  #worker;

  /** `engine` is the module that has been initialized, `store` has the files, `start` is what the site says of them. */
  constructor(engine, store, { files, texts }) {
    this.#engine = engine;
    this.#store = store;
    // Offered before the texts, one of which says how old the index is that was made of them.
    for (const [name, { length }] of Object.entries(files)) engine.offer(name, length);
    const encoder = new TextEncoder();
    for (const [name, text] of Object.entries(texts)) engine.put(name, encoder.encode(text));
    this.#worker = new engine.Worker();
  }

  /** Calls a method. */
  async call(method, values) {
    for (;;) {
      let value;
      let failed;
      try {
        value = this.#worker[method](...values);
      } catch (error) {
        if (error instanceof WebAssembly.RuntimeError) throw error;
        failed = error;
      }
      const wanted = this.#engine.wanted();
      if (!wanted.length) {
        if (failed) throw failed;
        return value;
      }
      // Not at once: other calls may have asked for the same.
      for (const name of wanted) this.#engine.put(name, await this.#store.file(name));
    }
  }
}
