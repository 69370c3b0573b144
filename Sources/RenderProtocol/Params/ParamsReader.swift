internal import JSON
public import JSONRPC
internal import RenderModel

/// Takes params out of an object and checks them against the limits of the contract.
public struct ParamsReader {
  private let object: JSONObject
  private let path: String

  /// The params of a message.
  public init(_ params: Message.Params) throws(InvalidParams) {
    switch params {
    case .named(let object):
      self.init(object, path: "params")
    case .unusable, .read:
      throw InvalidParams(path: "params", reason: "params are an object with named members")
    }
  }

  private init(_ object: JSONObject, path: String) {
    self.object = object
    self.path = path
  }

  /// Refuses every name that is not among these: a typing mistake must not pass in silence.
  func allow(_ names: String...) throws(InvalidParams) {
    for member in object.members where !names.contains(member.key) {
      let known = names.joined(separator: ", ")
      throw InvalidParams(
        path: path + "." + member.key.prefix(100),
        reason: known.isEmpty ? "this takes no params" : "no such name; there are \(known)"
      )
    }
  }

  func invalid(_ name: String, _ reason: String) -> InvalidParams {
    InvalidParams(path: path + "." + name, reason: reason)
  }

  /// A member that is neither absent nor null.
  private func value(_ name: String) -> JSON? {
    switch object[name] {
    case nil, .null: nil
    case let value: value
    }
  }

  private func require<Value>(_ value: Value?, _ name: String) throws(InvalidParams) -> Value {
    guard let value else { throw invalid(name, "it is required") }
    return value
  }

  // MARK: - Texts

  /// A name or id: 1 to 200 bytes, no control characters.
  func identifier(_ name: String) throws(InvalidParams) -> String {
    try require(try optionalIdentifier(name), name)
  }

  func optionalIdentifier(_ name: String) throws(InvalidParams) -> String? {
    try optionalText(name, bytes: 1...TextLimit.identifierBytes)
  }

  /// A text without control characters, its length in UTF-8 within bounds.
  func optionalText(
    _ name: String,
    bytes: ClosedRange<Int>
  ) throws(InvalidParams) -> String? {
    guard let value = value(name) else { return nil }
    return try text(value, name, bytes: bytes)
  }

  private func text(
    _ value: JSON,
    _ name: String,
    bytes: ClosedRange<Int>
  ) throws(InvalidParams) -> String {
    guard case .string(let text) = value else { throw invalid(name, "it must be a string") }
    guard bytes.contains(text.utf8.count) else {
      let bounds = "\(bytes.lowerBound) to \(bytes.upperBound)"
      throw invalid(name, "it must have \(bounds) bytes in UTF-8, it has \(text.utf8.count)")
    }
    guard !TextLimit.hasControlCharacter(text) else {
      throw invalid(name, "it must have no control characters")
    }
    return text
  }

  /// A text of any characters, as it is.
  func optionalFreeText(_ name: String) throws(InvalidParams) -> String? {
    switch value(name) {
    case nil: return nil
    case .string(let text): return text
    default: throw invalid(name, "it must be a string")
    }
  }

  /// Ids: 1 to 1,000 of them.
  func optionalIdentifiers(_ name: String) throws(InvalidParams) -> [String]? {
    try optionalList(name, counts: 1...1_000) { value, path throws(InvalidParams) in
      try text(value, path, bytes: 1...TextLimit.identifierBytes)
    }
  }

  func identifiers(_ name: String) throws(InvalidParams) -> [String] {
    try require(try optionalIdentifiers(name), name)
  }

  // MARK: - Words of the machine

  func event(_ name: String) throws(InvalidParams) -> Event {
    guard let value = value(name) else { throw invalid(name, "it is required") }
    return try word(value, name)
  }

  func optionalState(_ name: String) throws(InvalidParams) -> State? {
    guard let value = value(name) else { return nil }
    return try word(value, name)
  }

  /// States: 1 to 5 of them.
  func optionalStates(_ name: String) throws(InvalidParams) -> [State]? {
    try optionalList(name, counts: 1...State.allCases.count) { value, path throws(InvalidParams) in
      try word(value, path)
    }
  }

  private func word<Word: RawRepresentable<String> & CaseIterable>(
    _ value: JSON,
    _ name: String
  ) throws(InvalidParams) -> Word {
    guard case .string(let text) = value, let word = Word(rawValue: text) else {
      let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
      throw invalid(name, "it must be one of \(words)")
    }
    return word
  }

  // MARK: - Numbers and flags

  /// The largest integer that every JSON reader takes exactly: 2^53 - 1.
  static let maximumInteger: Int64 = 1 << 53 - 1

  /// The longest time, in milliseconds: 366 days.
  static let maximumMilliseconds: Int64 = 31_622_400_000

  func optionalInteger(
    _ name: String,
    in range: ClosedRange<Int64> = 0...maximumInteger
  ) throws(InvalidParams) -> Int64? {
    guard let value = value(name) else { return nil }
    let integer: Int64? =
      switch value {
      case .integer(let integer): integer
      case .number(let number): Int64(exactly: number)
      default: nil
      }
    guard let integer, range.contains(integer) else {
      throw invalid(
        name,
        "it must be a whole number from \(range.lowerBound) to \(range.upperBound)"
      )
    }
    return integer
  }

  func integer(
    _ name: String,
    in range: ClosedRange<Int64> = 0...maximumInteger
  ) throws(InvalidParams) -> Int64 {
    try require(try optionalInteger(name, in: range), name)
  }

  func optionalNumber(
    _ name: String,
    in range: ClosedRange<Double>
  ) throws(InvalidParams) -> Double? {
    guard let value = value(name) else { return nil }
    guard let number = value.double, range.contains(number) else {
      let (least, most) = (Int(range.lowerBound), Int(range.upperBound))
      throw invalid(name, "it must be a number from \(least) to \(most)")
    }
    // Of -0 this makes 0: a store would not tell them apart.
    return number + 0
  }

  func optionalFlag(_ name: String) throws(InvalidParams) -> Bool? {
    switch value(name) {
    case nil: return nil
    case .bool(let flag): return flag
    default: throw invalid(name, "it must be true or false")
    }
  }

  /// How many entries of a page: 1 to 1,000, 100 if not given.
  func pageLimit(_ name: String) throws(InvalidParams) -> Int {
    Int(try optionalInteger(name, in: 1...1_000) ?? 100)
  }

  // MARK: - Objects

  /// An object with members of its own.
  func optionalObject(_ name: String) throws(InvalidParams) -> ParamsReader? {
    guard let object = try optionalRawObject(name) else { return nil }
    return ParamsReader(object, path: path + "." + name)
  }

  func optionalRawObject(_ name: String) throws(InvalidParams) -> JSONObject? {
    switch value(name) {
    case nil: return nil
    case .object(let object): return object
    default: throw invalid(name, "it must be an object")
    }
  }

  private func optionalList<Element>(
    _ name: String,
    counts: ClosedRange<Int>,
    _ read: (JSON, String) throws(InvalidParams) -> Element
  ) throws(InvalidParams) -> [Element]? {
    guard let value = value(name) else { return nil }
    guard case .array(let values) = value, counts.contains(values.count) else {
      throw invalid(name, "it must be an array of \(counts.lowerBound) to \(counts.upperBound)")
    }
    var elements: [Element] = []
    elements.reserveCapacity(values.count)
    for (index, value) in values.enumerated() {
      elements.append(try read(value, "\(name)[\(index)]"))
    }
    return elements
  }
}
