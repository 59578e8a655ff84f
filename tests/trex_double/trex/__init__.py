"""A test double of TRex: see README.md. SPDX-License-Identifier: MIT"""
