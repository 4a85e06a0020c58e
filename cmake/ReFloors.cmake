# The floors. tests/layers_test.py reads this table and every #include and compares the two.
re_module(base      DEPS                               LIBS dep_boost)
re_module(sys       DEPS base                          LIBS dep_boost)
re_module(model     DEPS base)
re_module(config    DEPS base sys                      LIBS dep_inih)
re_module(ui        DEPS base sys)
re_module(project   DEPS base sys model                LIBS dep_json dep_openssl)
re_module(transport DEPS base sys model                LIBS dep_boost dep_libssh2 dep_openssl)
re_module(remote    DEPS base sys model transport      LIBS dep_boost)
re_module(jobs      DEPS base sys model remote         LIBS dep_boost dep_sqlite)
re_module(engine    DEPS base sys model project transport remote jobs LIBS dep_boost)
re_module(cli       DEPS base sys model config ui project transport remote jobs engine
                                                       LIBS dep_boost dep_cli11 dep_json dep_fmt)
