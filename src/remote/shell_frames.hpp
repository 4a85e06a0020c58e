// The frames between `re __rsh` and the process that serves it (version 1, ours; the same machine on both
// ends).
//
//   frame   = size:u32 payload[size]                     big endian, size at most k_frame_limit
//   payload = version:u8 type:u8 body
//   request (type 1): count:u32 (size:u32 bytes[size])×count; the descriptors 0, 1, 2 come with its first
//   byte exit    (type 2): code:u32, 0 to 255
//
// Everything is parsed strictly: a wrong version, a size that does not add up, a NUL in a word or a byte too
// many is Error (protocol).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace re::remote {

inline constexpr std::size_t k_frame_limit = std::size_t{64} << 10U;
inline constexpr std::size_t k_frame_words_limit = 256;

/// A whole frame. Throws Error (usage) when the words exceed the limits.
std::string encode_request(std::span<const std::string> words);
std::string encode_exit(int code);

/// A payload's content. Throws Error (protocol).
std::vector<std::string> parse_request(std::string_view payload);
int parse_exit(std::string_view payload);

/// Cuts a byte stream into payloads.
class FrameBuffer {
 public:
  void feed(std::string_view data) { m_data += data; }
  /// The next whole payload. Throws Error (protocol) on a size beyond the limit.
  std::optional<std::string> next();

 private:
  std::string m_data;
};

}  // namespace re::remote
