internal import Glibc

/// A text that equals another one only if their UTF-8 bytes are the same.
///
/// Identifiers and keys are compared so throughout: by Swift's own `==` two ids that differ in
/// bytes may be one and the same.
public struct ExactText: Hashable, Sendable {
  public let text: String

  public init(_ text: String) {
    self.text = text
  }

  public static func == (a: Self, b: Self) -> Bool {
    a.text.hasSameBytes(as: b.text)
  }

  public func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}

extension String {
  /// Whether both texts are the same bytes in UTF-8.
  public func hasSameBytes(as other: String) -> Bool {
    let isSame = utf8.withContiguousStorageIfAvailable { own in
      other.utf8.withContiguousStorageIfAvailable { theirs in
        guard own.count == theirs.count else { return false }
        guard let a = own.baseAddress, let b = theirs.baseAddress else { return true }
        return memcmp(a, b, own.count) == 0
      }
    }
    return (isSame ?? nil) ?? utf8.elementsEqual(other.utf8)
  }
}
