/** Something that a visitor can be told in one line: `code` is the key of that line in texts.json. */
export class Failure extends Error {
  constructor(code, detail = '') {
    super(detail || code)
    this.code = code
  }
}
