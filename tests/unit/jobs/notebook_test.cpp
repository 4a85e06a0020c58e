#include "re/jobs/notebook.hpp"

#include <gtest/gtest.h>

namespace {

using re::jobs::parse_jupyter_server;

// As jupyter-notebook 6.4.12 (Debian 12) writes nbserver-<pid>.json.
constexpr std::string_view k_notebook = R"({
  "base_url": "/",
  "hostname": "127.0.0.1",
  "notebook_dir": "/root/projects/x",
  "password": false,
  "pid": 4711,
  "port": 18734,
  "secure": false,
  "sock": "",
  "token": "0f3a",
  "url": "http://127.0.0.1:18734/"
})";
// As jupyter_server 2.7 writes jpserver-<pid>.json.
constexpr std::string_view k_server = R"({"base_url": "/lab/", "hostname": "127.0.0.1", "password": false,
  "pid": 9, "port": 443, "root_dir": "/x", "secure": true, "sock": "", "token": "t", "url": "u", "version": "2.7.3"})";

TEST(JupyterServerTest, the_files_of_both_servers_are_read) {
  const auto notebook = parse_jupyter_server(k_notebook).value();
  EXPECT_EQ(notebook.port, 18734);
  EXPECT_EQ(notebook.token, "0f3a");
  EXPECT_EQ(notebook.base_url, "/");
  EXPECT_FALSE(notebook.is_secure);
  const auto server = parse_jupyter_server(k_server).value();
  EXPECT_EQ(server.port, 443);
  EXPECT_EQ(server.base_url, "/lab/");
  EXPECT_TRUE(server.is_secure);
}

TEST(JupyterServerTest, a_file_that_is_not_whole_yet_is_not_read) {
  for (std::size_t size = 0; size < k_notebook.size(); ++size)
    EXPECT_FALSE(parse_jupyter_server(k_notebook.substr(0, size))) << size;
}

TEST(JupyterServerTest, what_would_change_the_url_or_the_request_is_refused) {
  for (const auto* text :
       {R"({"port": 0})", R"({"port": 65536})", R"({"port": -1})", R"({"port": "80"})", R"({"port": 2.9e40})",
        R"([80])", R"({})", R"({"port": 80, "base_url": "x"})", R"({"port": 80, "base_url": "/x"})",
        R"({"port": 80, "base_url": "/\r\nHost: x/"})", R"({"port": 80, "token": "a\r\nb"})",
        R"({"port": 80, "token": "\u001b[2J"})"}) {
    EXPECT_FALSE(parse_jupyter_server(text)) << text;
  }
}

}  // namespace
