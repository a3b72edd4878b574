// What the scripts of all Node clients have in common.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const modules = process.env.NODE_MODULES;

export const asked = JSON.parse(process.argv[2]);
export const mode = process.argv[3];
export const messages = [{ role: "user", content: "Hi" }];

/** A package of the tests' own folder. */
export const load = (name) => {
  const require = createRequire(pathToFileURL(`${modules}/`));
  return import(pathToFileURL(require.resolve(name)));
};

/** Makes a call, a stream and each call that is refused; `call` and `stream` take a key and a model. */
export const run = async (name, { call, stream, describe }) => {
  const described = JSON.parse(readFileSync(`${modules}/${name}/package.json`, "utf8"));
  const said = { version: described.version, call: await call(asked.key, "tiny"), stream: "", refusals: [] };
  for await (const piece of stream(asked.key, "tiny")) said.stream += piece;
  for (const { key, model } of asked.refusals) {
    try {
      await call(key, model);
    } catch (error) {
      const name = error.constructor.name.replace(/^_/, "");
      said.refusals.push({ class: name, message: error.message, ...describe(error) });
    }
  }
  console.log(JSON.stringify(said));
};
