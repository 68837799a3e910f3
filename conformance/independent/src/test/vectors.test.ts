// Every vector of the specification, where the folder of vectors is there.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runFolder } from "../vectors.js";

const folder = fileURLToPath(new URL("../../../../spec/vectors", import.meta.url));

test("vectors", { skip: !existsSync(folder) }, () => {
  const files = runFolder(folder);
  assert.ok(files.length >= 7);
  for (const { file, failures } of files) assert.deepEqual(failures, [], file);
});
