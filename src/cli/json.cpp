#include "cli/json.hpp"

#include <nlohmann/json.hpp>

namespace re::cli {

std::string to_text(const nlohmann::json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace re::cli
