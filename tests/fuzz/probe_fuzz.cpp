// What a host says of itself and its GPUs.
#include <cstdint>
#include <string>
#include <string_view>

#include "remote/probe_text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(re::remote::parse_host_facts(text));
  re::remote::SmiText smi;
  smi.code = "0";
  smi.fields = text.substr(0, text.find('\n'));
  smi.rows = smi.list = smi.apps = text;
  static_cast<void>(re::remote::parse_smi(smi));
  return 0;
}
