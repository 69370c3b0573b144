/// The members of a JSON object in the order in which they were written, each key once.
///
/// Keys are the same when their bytes are: Swift's `String` holds canonically equivalent texts for
/// equal ("é" in one or in two code points), JSON and its readers do not.
public struct JSONObject: Sendable {
  public struct Member: Sendable {
    public let key: String
    public let value: JSON
  }

  public private(set) var members: [Member]

  public init() {
    members = []
  }

  /// The object of these members, each key once; a member without a value is left out.
  public init(_ members: KeyValuePairs<String, JSON?>) {
    self.members = members.compactMap { key, value in value.map { Member(key: key, value: $0) } }
  }

  /// The object of these members; of several with one key the last one counts.
  init(reading members: [Member]) {
    self.members = members
    guard members.count > 1 else { return }
    if members.count <= 12 {
      keepLastByComparing()
    } else {
      keepLastByHashing()
    }
  }

  /// The value of a key, nil where the object has no such member.
  public subscript(key: String) -> JSON? {
    for index in members.indices where members[index].key.hasSameBytes(as: key) {
      return members[index].value
    }
    return nil
  }

  /// Sets members one by one, at the place where the key stands or else at the end; null removes.
  public mutating func merge(_ changes: JSONObject) {
    var places = [ExactText: Int](minimumCapacity: members.count)
    for (place, member) in members.enumerated() { places[ExactText(member.key)] = place }
    var merged: [Member?] = members
    for change in changes.members {
      let key = ExactText(change.key)
      if case .null = change.value {
        if let place = places.removeValue(forKey: key) { merged[place] = nil }
      } else if let place = places[key] {
        merged[place] = change
      } else {
        places[key] = merged.count
        merged.append(change)
      }
    }
    members = merged.compactMap { $0 }
  }

  private mutating func keepLastByComparing() {
    for index in members.indices.dropLast().reversed() {
      let isRepeated = (index + 1..<members.count).contains {
        members[$0].key.hasSameBytes(as: members[index].key)
      }
      if isRepeated { members.remove(at: index) }
    }
  }

  private mutating func keepLastByHashing() {
    var last = [ExactText: Int](minimumCapacity: members.count)
    for (index, member) in members.enumerated() { last[ExactText(member.key)] = index }
    guard last.count < members.count else { return }
    members = members.enumerated().filter { last[ExactText($1.key)] == $0 }.map(\.element)
  }
}
