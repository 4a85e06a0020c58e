// What comes back on a script's stream: noise, marks, payload. However it is cut, the same is understood.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "remote/marks.hpp"

namespace {

struct Understood {
  std::string payload;
  bool has_begun = false;
  bool has_ended = false;
  int code = 0;
  std::string trailer;
  bool operator==(const Understood&) const = default;
};

Understood understood(std::string_view text, std::size_t piece) {
  re::remote::MarkScanner scanner("0123456789abcdef0123456789abcdef");
  Understood all;
  for (std::size_t at = 0; at < text.size(); at += piece) all.payload += scanner.feed(text.substr(at, piece));
  all.payload += scanner.flush();
  all.has_begun = scanner.has_begun();
  if (const auto& outcome = scanner.outcome()) {
    all.has_ended = true;
    all.code = outcome->code;
    all.trailer = outcome->trailer;
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t piece = text.empty() ? 1 : static_cast<unsigned char>(text.back()) % 7 + 1;
  if (understood(text, piece) != understood(text, size + 1)) std::abort();
  return 0;
}
