// One layer's text to typed values. Pure: no file is touched, any bytes may come in (these are the fuzzers'
// entries).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "re/base/result.hpp"
#include "re/config/settings.hpp"

namespace re::config {

struct LayerContext {
  std::string file;            ///< as messages and origins show it
  std::filesystem::path home;  ///< for "~/" in paths
};

struct UserLayer {
  GeneralSettings general;
  std::vector<InstanceSettings> instances;  ///< by rising index
  /// Where the first password stands, if one does: then the file must be private.
  std::optional<Origin> password;
};

Result<UserLayer> parse_user_layer(std::string_view text, const LayerContext& context);
Result<ProjectSettings> parse_project_layer(std::string_view text, const LayerContext& context);

/// The names of all keys, for the tests that hold the sample and the manual to them.
std::vector<std::string> general_keys();
std::vector<std::string> instance_keys();
std::vector<std::string> project_keys();

}  // namespace re::config
