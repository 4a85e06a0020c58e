#include "re/base/encoding.hpp"

#include <cstddef>
#include <cstdint>

namespace re {

namespace {

constexpr std::string_view k_hex = "0123456789abcdef";
constexpr std::string_view k_base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::optional<unsigned> digit_of(std::string_view alphabet, char letter) {
  const auto at = alphabet.find(letter);
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned>(at);
}

std::uint32_t byte_at(std::string_view bytes, std::size_t index) {
  return index < bytes.size() ? static_cast<unsigned char>(bytes[index]) : 0U;
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  std::string text(bytes.size() * 2, '\0');
  char* at = text.data();
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    *at++ = k_hex.data()[value >> 4U];
    *at++ = k_hex.data()[value & 15U];
  }
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = digit_of(k_hex, text[i]);
    const auto low = digit_of(k_hex, text[i + 1]);
    if (!high || !low) return std::nullopt;
    bytes += static_cast<char>(*high << 4U | *low);
  }
  return bytes;
}

std::string to_base64(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t group =
        byte_at(bytes, i) << 16U | byte_at(bytes, i + 1) << 8U | byte_at(bytes, i + 2);
    for (unsigned digit = 0; digit < 4; ++digit) {
      const bool padding = i + digit > bytes.size();
      text += padding ? '=' : k_base64[group >> (18U - 6U * digit) & 63U];
    }
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const std::size_t padding = !last || text[i + 3] != '=' ? 0 : text[i + 2] == '=' ? 2 : 1;
    std::uint32_t group = 0;
    for (std::size_t digit = 0; digit < 4 - padding; ++digit) {
      const auto value = digit_of(k_base64, text[i + digit]);
      if (!value) return std::nullopt;
      group |= *value << (18U - 6U * digit);
    }
    if ((padding == 1 && (group & 0xffU) != 0) || (padding == 2 && (group & 0xffffU) != 0))
      return std::nullopt;
    for (unsigned byte = 0; byte < 3 - padding; ++byte)
      bytes += static_cast<char>(group >> (16U - 8U * byte) & 0xffU);
  }
  return bytes;
}

}  // namespace re
