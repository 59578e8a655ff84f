-- state.db as the first release's schema left it, with a topology in it (sqlite3 state.db .dump).
-- SPDX-License-Identifier: MIT
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE topology (topology_id TEXT PRIMARY KEY, version INTEGER NOT NULL, n_nodes INTEGER, n_links INTEGER) WITHOUT ROWID;
INSERT INTO topology VALUES('t',1,2,1);
CREATE TABLE node (topology_id TEXT NOT NULL, ordinal INTEGER NOT NULL, node_id TEXT NOT NULL, x REAL, y REAL, PRIMARY KEY (topology_id, ordinal)) WITHOUT ROWID;
INSERT INTO node VALUES('t',0,'A',NULL,NULL);
INSERT INTO node VALUES('t',1,'B',NULL,NULL);
CREATE TABLE link (link_id TEXT PRIMARY KEY, a TEXT NOT NULL, z TEXT NOT NULL, bidirectional INTEGER NOT NULL, total_gbps REAL, total_set_ns INTEGER NOT NULL, used_gbps REAL, used_reverse_gbps REAL, cost REAL NOT NULL, latency_ms REAL, srlg TEXT, admin_up INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO link VALUES('AB','A','B',1,10.0,1795318216728825541,NULL,NULL,1.0,NULL,NULL,1);
CREATE TABLE member (topology_id TEXT NOT NULL, ordinal INTEGER NOT NULL, link_id TEXT NOT NULL, PRIMARY KEY (topology_id, ordinal)) WITHOUT ROWID;
INSERT INTO member VALUES('t',0,'AB');
CREATE TABLE port (host TEXT NOT NULL, name TEXT NOT NULL, link_id TEXT NOT NULL, end INTEGER NOT NULL, PRIMARY KEY (host, name)) WITHOUT ROWID;
CREATE TABLE upload (upload_id TEXT NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL, kept_ns INTEGER NOT NULL, frame BLOB NOT NULL, PRIMARY KEY (upload_id, part));
CREATE INDEX member_link ON member (link_id);
CREATE INDEX port_link ON port (link_id);
COMMIT;
PRAGMA user_version = 1;
