// For tests only: what a reader refuses with.
import { Refusal } from "./errors.js";

/** The reason of the refusal, or `none`. */
export function reason(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Refusal) return error.reason;
    throw error;
  }
  return "none";
}
