// The data types of the ssh protocols (RFC 4251 section 5), bounds-checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace re::transport {

/// Reads from the front; a read beyond the end gives nothing and leaves the reader at the end.
class WireReader {
 public:
  explicit WireReader(std::string_view data) : m_data(data) {}

  std::optional<std::uint8_t> byte() {
    const auto bytes = take(1);
    if (!bytes) return std::nullopt;
    return static_cast<std::uint8_t>(bytes->front());
  }
  std::optional<std::uint32_t> number() {
    const auto bytes = take(4);
    if (!bytes) return std::nullopt;
    std::uint32_t value = 0;
    for (const char byte : *bytes) value = value << 8U | static_cast<std::uint8_t>(byte);
    return value;
  }
  std::optional<std::string_view> text() {
    const auto size = number();
    if (!size) return std::nullopt;
    return take(*size);
  }
  [[nodiscard]] bool is_at_end() const { return m_data.empty(); }

 private:
  std::optional<std::string_view> take(std::size_t size) {
    if (size > m_data.size()) {
      m_data = {};
      return std::nullopt;
    }
    const auto front = m_data.substr(0, size);
    m_data.remove_prefix(size);
    return front;
  }
  std::string_view m_data;
};

inline void append_number(std::string& out, std::uint32_t value) {
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out.push_back(static_cast<char>(value >> shift & 0xffU));
}

inline void append_text(std::string& out, std::string_view text) {
  append_number(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

}  // namespace re::transport
