-- state.db as the second release's schema left it, with a topology in it (sqlite3 state.db .dump).
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
CREATE TABLE ledger (version INTEGER NOT NULL);
INSERT INTO ledger VALUES(0);
CREATE TABLE service ( number INTEGER PRIMARY KEY AUTOINCREMENT, service_id TEXT UNIQUE, version INTEGER NOT NULL, request_id TEXT NOT NULL, topology_id TEXT NOT NULL, from_node TEXT, to_node TEXT, bps INTEGER NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER, quantile REAL NOT NULL, traffic INTEGER NOT NULL, meter_id INTEGER, admitted_ns INTEGER NOT NULL, changed_ns INTEGER, released_ns INTEGER, expiry_noted INTEGER NOT NULL, ledger_version INTEGER NOT NULL, evidence BLOB NOT NULL);
CREATE TABLE hold ( number INTEGER NOT NULL, version INTEGER NOT NULL, ordinal INTEGER NOT NULL, link_id TEXT NOT NULL, direction INTEGER NOT NULL, bps INTEGER NOT NULL, from_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, made_ns INTEGER NOT NULL, made_version INTEGER NOT NULL, closed_ns INTEGER, closed_version INTEGER, traffic INTEGER NOT NULL, meter_id INTEGER, PRIMARY KEY (number, version, ordinal)) WITHOUT ROWID;
CREATE TABLE meter (meter_id INTEGER PRIMARY KEY, host TEXT, name TEXT, way INTEGER NOT NULL, link_id TEXT, direction INTEGER NOT NULL);
CREATE TABLE admission (request_id TEXT PRIMARY KEY, made_ns INTEGER NOT NULL, content BLOB NOT NULL, reply BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX member_link ON member (link_id);
CREATE INDEX port_link ON port (link_id);
CREATE INDEX service_end ON service (end_ns) WHERE released_ns IS NULL AND expiry_noted = 0;
CREATE INDEX hold_link ON hold (link_id, direction, end_ns);
CREATE INDEX hold_end ON hold (end_ns);
COMMIT;
PRAGMA user_version = 2;
